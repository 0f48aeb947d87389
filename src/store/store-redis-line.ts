import type { Redis } from 'ioredis';
import { StoreFault, StoreRefused } from './store.ts';
import { type Access, connect } from './store-redis-connect.ts';
import { type Call, flightsOf, type Reply, replyOf } from './store-redis-flights.ts';
import { functionOf, isRead, type Name } from './store-redis-lua.ts';
import { inspect, type Persistence, refused, wordOf } from './store-redis-open.ts';

/** The way to the server. Knows whether it is the server, and the memory, that this broker has known. */
export interface Line {
  /**
   * What a function answers. `absent`: keys of a commit that need only go once for all of the same turn. Throws StoreFault: at once while there
   * is no server, within the timeout when it does not answer.
   */
  ask(name: Name, keys: readonly string[], args: readonly (string | number)[], absent?: readonly string[]): Promise<Reply>;
  /** The latest commit that this broker was told of: a server that knows less has lost something. */
  learn(commit: number): void;
  /** The memory may begin anew by what another broker has noticed. */
  begins(since: number): void;
  /** Since when, epoch seconds, the server remembers everything. */
  readonly since: number;
  /** What names of this store are made with: it came from a file where they stand so. Empty in a store that began here. */
  readonly salt: string;
  /** The store is not the one that it was: until the process begins again nothing is granted. */
  readonly poisoned: StoreRefused | undefined;
  close(): void;
}
export interface LineOptions extends Access {
  readonly persistence: Persistence;
  /** How many replicas must have a commit before it is answered. */
  readonly replicas: number;
  readonly newId: () => string;
  /** Epoch seconds, in the place of the server's own clock. */
  readonly now?: (() => number) | undefined;
  /** Told at each new connection; `lost`: what was there before may be gone. */
  readonly onUp: (up: { readonly lost: boolean }) => void;
}

/** The form of what stands in the store; another one is not read. */
export const FORM = '1';
const RETRY_MS = 100;
/** A server that is still starting is waited for so long at the broker's own start. */
const PATIENCE_MS = 5_000;
/** While the server is behind with so many, more only make it worse. */
const MOST_UNDER_WAY = 20_000;

/** Throws StoreRefused when there is no server that may be trusted. */
export async function openLine(options: LineOptions): Promise<Line> {
  let client: Redis | undefined;
  let id = '';
  let known = 0;
  let since = 0;
  let salt = '';
  let poisoned: StoreRefused | undefined;
  let closed = false;
  /** Why there is no server. */
  let away: unknown;
  let waiting: Call[] = [];
  let underWay = 0;
  let flying = false;

  const given = (): string => (options.now ? String(Math.floor(options.now())) : '');

  async function admit(candidate: Redis): Promise<boolean> {
    const { keeps } = await inspect(candidate, { persistence: options.persistence, cluster: 'nodes' in options.place });
    const args = [id, known, given(), options.newId(), keeps ? '1' : '', FORM];
    const reply = (await candidate.fcall(functionOf('admit'), 1, `${options.tag}:meta`, ...args)) as Reply;
    if (reply[0] === 'form') throw refused('newer');
    if (reply[0] === 'moving') throw refused('moving');
    if (reply[0] !== 'ok') {
      poisoned = refused('gone');
      throw poisoned;
    }
    id = String(reply[1]);
    known = Math.max(known, Number(reply[2]));
    // Another broker was there first and has noticed: what we were answered for may be lost all the same.
    const began = since;
    since = Number(reply[3]);
    salt = String(reply[6]);
    return reply[5] === 1 || (began > 0 && since > began);
  }
  async function attempt(): Promise<void> {
    const candidate = await connect(options);
    try {
      const lost = await admit(candidate);
      if (closed) throw new StoreFault('closed');
      client = candidate;
      candidate.on('end', () => drop(candidate));
      if (candidate.status === 'end') return drop(candidate);
      options.onUp({ lost });
      depart();
    } catch (fault) {
      candidate.disconnect();
      throw fault;
    }
  }
  async function reconnect(): Promise<void> {
    while (!closed && !client && !poisoned) {
      try {
        await attempt();
      } catch (fault) {
        away = fault;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }
  /** Nobody waits for a server that has stopped answering: everything under way fails now, and what comes fails at once. */
  function drop(lost: Redis, why?: unknown): void {
    if (client !== lost) return;
    client = undefined;
    away = why;
    flying = false;
    lost.disconnect();
    const calls = waiting;
    waiting = [];
    for (const call of calls) call.reject(new StoreFault('unreachable', why));
    void reconnect();
  }

  let scheduled = false;
  function schedule(): void {
    if (scheduled) return;
    scheduled = true;
    setImmediate(() => {
      scheduled = false;
      depart();
    });
  }
  /** All calls of one turn of the loop are one write to the socket; with replicas to wait for, all since the last answer. */
  function depart(): void {
    const at = client;
    if (!at || flying || waiting.length === 0) return;
    const calls = waiting;
    waiting = [];
    const pipeline = at.pipeline();
    const flights = flightsOf(calls, options.tag);
    for (const { name, keys, args } of flights) {
      const all = [...keys, id, known, given(), ...args];
      if (isRead(name)) pipeline.fcall_ro(functionOf(name), keys.length, ...all);
      else pipeline.fcall(functionOf(name), keys.length, ...all);
    }
    const waits = options.replicas > 0 && calls.some(({ name }) => !isRead(name));
    if (waits) pipeline.wait(options.replicas, Math.ceil(options.timeoutMs / 2));
    flying = waits;
    underWay += calls.length;
    const landed = (results: readonly [Error | null, unknown][] | null, fault?: unknown): void => {
      underWay -= calls.length;
      if (client === at) flying = false;
      const copied = !waits || Number(results?.[flights.length]?.[1] ?? 0) >= options.replicas;
      for (const [i, { name, calls: aboard }] of flights.entries()) {
        const [error, answer] = results?.[i] ?? [fault, undefined];
        const failed = error ? faultOf(error, at) : undefined;
        for (const [j, call] of aboard.entries()) {
          if (failed) call.reject(failed);
          // It stands on one machine alone: what that answered may be forgotten.
          else if (!copied && !isRead(name)) call.reject(new StoreFault('unreachable'));
          else call.resolve(replyOf(answer as Reply, name, j));
        }
      }
      depart();
    };
    pipeline.exec().then(landed, (fault: unknown) => landed(null, fault));
  }

  function faultOf(fault: unknown, at: Redis): StoreFault {
    switch (wordOf(fault)) {
      case 'OOM':
        return new StoreFault('full', fault);
      case 'MISCONF':
        return new StoreFault('disk', fault);
      case 'BUSY':
      case 'TRYAGAIN':
      case 'ASK':
        return new StoreFault('busy', fault);
      default:
        // Of a server that became a replica, moved our slot, lost our functions or says nothing, another connection knows more.
        drop(at, fault);
        return new StoreFault('unreachable', fault);
    }
  }

  const line: Line = {
    async ask(name, keys, args, absent = []) {
      if (closed) throw new StoreFault('closed');
      if (poisoned) throw new StoreFault('poisoned', poisoned);
      if (!client) throw new StoreFault('unreachable', away);
      if (waiting.length + underWay >= MOST_UNDER_WAY) throw new StoreFault('busy');
      const at = client;
      const reply = await new Promise<Reply>((resolve, reject) => {
        waiting.push({ name, keys, args, absent, resolve, reject });
        schedule();
      });
      const [word] = reply;
      if (word === 'gone' || word === 'foreign') poisoned = refused('gone');
      if (word === 'gone' || word === 'foreign' || word === 'other') {
        drop(at);
        throw poisoned ? new StoreFault('poisoned', poisoned) : new StoreFault('unreachable');
      }
      return reply;
    },
    learn(commit) {
      known = Math.max(known, commit);
    },
    begins(at) {
      since = at;
    },
    get since() {
      return since;
    },
    get salt() {
      return salt;
    },
    get poisoned() {
      return poisoned;
    },
    close() {
      closed = true;
      client?.disconnect();
    },
  };

  const began = performance.now();
  for (;;) {
    try {
      await attempt();
      return line;
    } catch (fault) {
      if (fault instanceof StoreRefused) throw fault;
      if (/^(NOAUTH|WRONGPASS|NOPERM)$/.test(wordOf(fault))) throw refused('closed', fault);
      if (performance.now() - began > PATIENCE_MS) throw refused('away', fault);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}
