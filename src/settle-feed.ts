/** What no longer stands, told to the tool servers it concerns (wire.md §7). Reads; what it reads was written by settle.ts and operate. */
import type { Authenticator } from './authenticate/authenticate.ts';
import type { Bundles } from './bundle/bundle.ts';
import { HALT_TERM, type HaltScope } from './decide/halts.ts';
import { type Result, refuse, Unavailable } from './errors.ts';
import type { Signer } from './keys/signer.ts';
import { REVOKED_TERM, type Revoked, revokedKey } from './mint/grant.ts';
import type { Bundle, EpochSeconds, ToolServer, World } from './model.ts';
import type { Recorder } from './record/record.ts';
import type { Presented } from './request.ts';
import { createDeparted } from './settle-departed.ts';
import { type Store, type Stored, seqOf } from './store/store.ts';
import type { JsonObject } from './wire/json.ts';
import { no, ok } from './wire/result.ts';
import { FEED_LIFE_SECONDS, formatStanding, MAX_STANDING, standingDigest, subjectMark, TYP_REVOCATIONS } from './wire/revocations.ts';

export interface FeedRequest extends Presented {
  /** The highest `seq` that the caller has seen: a broker that knows less does not answer. */
  readonly after?: number;
  /** Digest of what the caller holds (wire/revocations.ts): it waits for anything else. Absent: answered at once. */
  readonly held?: string;
  readonly waitSeconds: number;
  /** Stands in the answer: an older one is no answer to this question. */
  readonly nonce?: string;
}
/** As served at GET /operator/verifiers: what this broker has seen since it started. */
export interface SeenVerifier {
  readonly server: string;
  readonly resource: string;
  readonly last_seen: EpochSeconds | null;
  /** What it said that it knew. */
  readonly seq: number | null;
  readonly waiting: number;
}
export interface Feed {
  /**
   * A signed answer: `seq`, and what stands where it is not what the caller holds. Errors: those of a client assertion; `grant_refused` for
   * whoever is no tool server; `request_malformed` where `after` is ahead of the ledger; `limited` where too many of one server wait.
   */
  poll(request: Result<FeedRequest>, gone: AbortSignal, from?: () => string): Promise<Result<string>>;
  verifiers(): readonly SeenVerifier[];
  /** From now on nobody waits: the broker is stopping. */
  release(): void;
  close(): void;
}
export interface FeedRooms {
  readonly issuer: string;
  readonly store: Store;
  readonly world: World;
  readonly bundles: Bundles;
  readonly authenticate: Pick<Authenticator, 'client'>;
  readonly record: Recorder;
  readonly signer: Signer;
}
/**
 * All that stands. Invariant of `seq`, the number of the ledger's last entry: it was read *before* the rest, and a revocation commits its
 * entry and its keys as one, so whatever is recorded up to `seq` is in here. A ledger only grows, on one broker or on many.
 */
interface Seen {
  readonly seq: number;
  readonly halts: readonly { readonly scope: HaltScope; readonly target: string }[];
  readonly revoked: readonly (Revoked & { readonly jti: string })[];
}
const PAGE = 1_000;
/** Of all audiences together: beyond it nothing is told, and verifiers know that they do not know. */
const MAX_REVOKED = 50_000;
const MAX_WAITING = 256;
const AGAIN_MS = 500;
const TICK_MS = 1_000;

export function createFeed(rooms: FeedRooms): Feed {
  const { issuer, store, world, bundles, authenticate, record, signer } = rooms;
  const departed = createDeparted(rooms);
  const bells = new Set<() => void>();
  const verifiers = new Map<string, { lastSeen: EpochSeconds; seq: number | null; waiting: number }>();
  const stop = new AbortController();
  let released = false;
  let following = false;
  let running: Promise<Seen> | undefined;
  let next: Promise<Seen> | undefined;

  let rung = 0;
  const ring = (): void => {
    rung++;
    for (const bell of [...bells]) bell();
  };
  /** One reading for all who ask meanwhile, begun after the last of them asked. */
  function look(): Promise<Seen> {
    next ??= (running ?? Promise.resolve())
      .catch(() => undefined)
      .then(() => {
        running = next;
        next = undefined;
        return read();
      });
    return next;
  }
  async function read(): Promise<Seen> {
    const [head] = await store.scan({ term: 'entry', limit: 1, newestFirst: true });
    const [halts, revoked] = await Promise.all([all(HALT_TERM), all(REVOKED_TERM)]);
    return {
      seq: head ? seqOf(head.key) : 0,
      halts: halts.map(({ value }) => value as unknown as Seen['halts'][number]),
      revoked: revoked.map(({ key, value }) => ({ jti: key.slice(revokedKey('').length), ...(value as unknown as Revoked) })),
    };
  }
  async function all(term: string): Promise<readonly Stored[]> {
    const rows: Stored[] = [];
    for (;;) {
      const last = rows.at(-1);
      const page = await store.scan({ term, limit: PAGE, ...(last && { after: last.key }) });
      rows.push(...page);
      if (page.length < PAGE) return rows;
      if (rows.length >= MAX_REVOKED) throw new Unavailable('revocations');
    }
  }
  /** News on any broker ends every wait here. Begun with the first who waits: a broker that nobody asks follows nothing. */
  function follow(): void {
    if (following) return;
    following = true;
    const each = async (prefix: string): Promise<void> => {
      while (!stop.signal.aborted) {
        try {
          for await (const _ of store.follow(prefix, stop.signal)) ring();
        } catch {
          // The store tells of its own faults. Whoever waits is answered at the end of the wait at the latest.
        }
        if (!stop.signal.aborted) await passed(world.after(AGAIN_MS));
      }
    };
    for (const prefix of ['halt/', revokedKey('')]) void each(prefix);
  }
  /** Ends with news, with the time, or with the one who asked. A new bundle makes no sound: it is looked for. */
  function news(bundle: Bundle, since: number, ...ends: readonly AbortSignal[]): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        bells.delete(done);
        for (const end of ends) end.removeEventListener('abort', done);
        resolve();
      };
      const tick = (): void => {
        if (!bells.has(done)) return;
        if (bundles.current() !== bundle) done();
        else world.after(TICK_MS).addEventListener('abort', tick, { once: true });
      };
      bells.add(done);
      for (const end of ends) end.addEventListener('abort', done, { once: true });
      // News that came while the store was read may not be in what was read.
      if (released || rung !== since || ends.some((end) => end.aborted)) done();
      else tick();
    });
  }

  async function answer(input: FeedRequest, caller: ToolServer, gone: AbortSignal): Promise<Result<string>> {
    const over = world.after(input.waitSeconds * 1000);
    for (;;) {
      const bundle = bundles.current();
      const server = bundle.servers.byId(caller.id);
      if (server?.resource !== caller.resource) return refuse('client_unknown');
      const since = rung;
      const seen = await look();
      if (input.after !== undefined && input.after > seen.seq) return refuse('request_malformed', { detail: 'after' });
      const stands = standingOf(server, seen, bundle, await departed(bundle));
      const isNew = standingDigest(stands) !== input.held;
      if (!isNew && !over.aborted && !gone.aborted && !released) {
        await news(bundle, since, over, gone);
        continue;
      }
      const iat = world.now();
      const { after = 0, nonce } = input;
      return ok(
        await signer.sign(
          { typ: TYP_REVOCATIONS },
          {
            iss: issuer,
            sub: server.id,
            aud: server.resource,
            iat,
            exp: iat + FEED_LIFE_SECONDS,
            seq: seen.seq,
            from: after,
            ...(nonce !== undefined && { nonce }),
            ...(isNew && { stands }),
          },
        ),
      );
    }
  }

  return {
    async poll(request, gone, from) {
      const draft = record.open('revocations', from);
      try {
        if (!request.ok) return no(await record.refuse(draft, request.error));
        const bundle = bundles.current();
        draft.note({ bundle: bundle.hash });
        const caller = await authenticate.client(request.value, bundle, draft);
        const marked = caller.ok ? await record.mark(draft) : caller;
        if (!caller.ok || !marked.ok) return no(await record.refuse(draft, marked.ok ? refuse('fault').error : marked.error));
        const server = caller.value;
        if (server.kind !== 'tool-server')
          return no(await record.refuse(draft, refuse('grant_refused', { detail: 'client_is_agent' }).error));
        draft.note({ resource: server.resource });
        const known = verifiers.get(server.id) ?? { lastSeen: 0, seq: null, waiting: 0 };
        verifiers.set(server.id, known);
        if (known.waiting >= MAX_WAITING) return no(await record.refuse(draft, refuse('limited').error));
        Object.assign(known, { lastSeen: draft.now, seq: request.value.after ?? null });
        follow();
        known.waiting++;
        const answered = await answer(request.value, server, gone).finally(() => known.waiting--);
        return answered.ok ? answered : no(await record.refuse(draft, answered.error));
      } catch (fault) {
        return no(await record.fault(draft, fault));
      }
    },
    verifiers: () =>
      bundles.current().servers.all.map(({ id, resource }) => {
        const { lastSeen = null, seq = null, waiting = 0 } = verifiers.get(id) ?? {};
        return { server: id, resource, last_seen: lastSeen, seq, waiting };
      }),
    release() {
      released = true;
      ring();
    },
    close() {
      released = true;
      stop.abort();
      ring();
    },
  };
}

/** What introspection would say of this server's tokens, without their names. Throws Unavailable where it is more than both ends hold. */
function standingOf(server: ToolServer, { halts, revoked }: Seen, bundle: Bundle, departed: readonly string[]): JsonObject {
  const of = (scope: HaltScope): string[] => halts.filter((halt) => halt.scope === scope).map(({ target }) => target);
  const owners = new Set(of('owner'));
  const agents = bundle.agents.all.filter((agent) => agent.suspended || !agent.owned || owners.has(agent.owner)).map(({ id }) => id);
  const own = `${server.id}/`;
  const tools = of('tool').filter((target) => target.startsWith(own));
  const tokens = revoked.filter(({ aud }) => aud === server.resource);
  const subjects = of('subject').map((subject) => subjectMark(server.resource, subject));
  const halted = [...new Set([...agents, ...of('agent'), ...departed])];
  if ([halted, subjects, tools, tokens].some(({ length }) => length > MAX_STANDING)) throw new Unavailable('revocations');
  return formatStanding({
    all: of('all').length > 0 || of('server').includes(server.id),
    agents: halted,
    subjects,
    tools: tools.map((target) => target.slice(own.length)),
    tokens,
  });
}
const passed = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
