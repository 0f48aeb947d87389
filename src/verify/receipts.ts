/** What a tool server tells the broker about each action: queued, posted off the tool's path, again until the broker has answered for good. */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { JsonObject } from '../wire/json.ts';
import type { Alg } from '../wire/jws.ts';
import { TYP_RECEIPT } from '../wire/oauth.ts';
import { type SigningKey, signJwt } from '../wire/sign.ts';
import { outgoing } from './outgoing.ts';

/** `done`: the effect happened. `failed`: it was tried; what of it happened is unknown. `not_run`: certainly nothing happened. */
export type Outcome = 'done' | 'failed' | 'not_run';
/** Recordable amounts by argument name, for example what was really refunded; only an amount ≤ the reserved one lowers a budget. */
export type Amounts = Readonly<Record<string, number>>;
export interface Receipt {
  readonly txn: string;
  /** The action token's `jti`. */
  readonly token_jti: string;
  readonly outcome: Outcome;
  readonly amounts?: Amounts;
  /** The agent's proof: evidence that the key's holder made this call. */
  readonly proof: string;
}
/** `id` is the receipt's own `jti`, the same on every try. */
export interface QueuedReceipt extends Receipt {
  readonly id: string;
}
export interface ReceiptQueue {
  /** Kept when it resolves, as well as the queue can. */
  put(receipt: QueuedReceipt): Promise<void>;
  /** What an earlier run left. */
  load(): Promise<readonly QueuedReceipt[]>;
  /** The broker answered for good: it has it (`sent`), or it will never take it (`dead`). */
  settle(id: string, fate: 'sent' | 'dead'): Promise<void>;
}
export interface Receipts {
  /** Resolves when queued. */
  add(receipt: Receipt): Promise<void>;
  /** Tries everything that is queued once, now; resolves with how many are still queued. */
  flush(): Promise<number>;
  /** Stops posting. What is in a folder is posted by the next run. */
  close(): Promise<void>;
  /** `dead`: refused by the broker. `lost`: could not be queued, or over `limit`. */
  readonly counts: { readonly queued: number; readonly sent: number; readonly dead: number; readonly lost: number };
}
export interface ReceiptsOptions {
  /** The broker's issuer; receipts go to `<issuer>/receipts`. */
  readonly issuer: string;
  /** This tool server's id at the broker, and the private key registered for it. */
  readonly clientId: string;
  readonly key: SigningKey;
  readonly kid?: string;
  /** What the key signs with; ES256 unless told. */
  readonly alg?: Alg;
  /** Memory unless told; `folderQueue(path)` survives restarts. */
  readonly queue?: ReceiptQueue;
  readonly limit?: number;
  readonly now?: () => number;
  readonly fetch?: typeof fetch;
  /** How a pause between tries passes. */
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<unknown>;
}

const AT_ONCE = 8;
const LIFE_SECONDS = 300;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;
/** These will be answered the same way for ever. */
const REFUSED: ReadonlySet<number> = new Set([400, 401, 403, 404]);

export function memoryQueue(): ReceiptQueue {
  return { put: async () => {}, load: async () => [], settle: async () => {} };
}

/** Starts posting what the queue holds from an earlier run. Throws TypeError where the issuer is neither https nor loopback. */
export function receipts(options: ReceiptsOptions): Receipts {
  const { issuer, clientId, key, kid, alg = 'ES256', queue = memoryQueue(), limit = 100_000 } = options;
  const now = options.now ?? (() => Math.floor(Date.now() / 1000));
  const wait = options.wait ?? ((ms, signal) => pause(ms, undefined, { signal, ref: false }));
  const post = outgoing({ url: `${issuer.replace(/\/$/, '')}/receipts`, ...(options.fetch && { fetch: options.fetch }) });
  const queued = new Map<string, QueuedReceipt>();
  const trying = new Map<string, Promise<boolean>>();
  const counts = { sent: 0, dead: 0, lost: 0 };
  const closing = new AbortController();
  let wake = new AbortController();
  let looping: Promise<void> | undefined;
  const loaded = queue.load().then(
    (left) => {
      for (const receipt of left) queued.set(receipt.id, receipt);
      start();
    },
    () => {
      // An unreadable folder stops no tool: `put` will fail too, and count.
    },
  );

  /** True when the broker has answered for good. */
  async function send(receipt: QueuedReceipt): Promise<boolean> {
    const { id, ...said } = receipt;
    const iat = now();
    const claims = { ...said, iss: clientId, sub: clientId, aud: issuer, jti: id, iat, exp: iat + LIFE_SECONDS } as unknown as JsonObject;
    try {
      // Signed at each try: a receipt may wait longer than a signature should live.
      const body = await signJwt(key, { alg, typ: TYP_RECEIPT, ...(kid !== undefined && { kid }) }, claims);
      const { status } = await post(body, 'application/jwt', { signal: closing.signal });
      const fate = (status >= 200 && status < 300) || status === 409 ? 'sent' : REFUSED.has(status) ? 'dead' : undefined;
      if (!fate) return false;
      await queue.settle(id, fate);
      queued.delete(id);
      counts[fate]++;
      return true;
    } catch {
      return false;
    }
  }
  function attempt(receipt: QueuedReceipt): Promise<boolean> {
    const running = trying.get(receipt.id);
    if (running) return running;
    const started = send(receipt).finally(() => trying.delete(receipt.id));
    trying.set(receipt.id, started);
    return started;
  }
  async function loop(): Promise<void> {
    let pauseMs = FIRST_PAUSE_MS;
    while (queued.size > 0 && !closing.signal.aborted) {
      const batch = [...queued.values()].slice(0, AT_ONCE);
      const answered = await Promise.all(batch.map(attempt));
      if (answered.includes(true)) pauseMs = FIRST_PAUSE_MS;
      for (const [i, receipt] of batch.entries()) {
        if (answered[i] || !queued.has(receipt.id)) continue;
        // To the back: one that the broker cannot take now holds up no other.
        queued.delete(receipt.id);
        queued.set(receipt.id, receipt);
      }
      if (answered.includes(true) || closing.signal.aborted) continue;
      await wait(pauseMs, AbortSignal.any([closing.signal, wake.signal])).catch(() => {});
      pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
    }
  }
  function start(): void {
    if (looping || closing.signal.aborted || queued.size === 0) return;
    looping = loop().finally(() => {
      looping = undefined;
      start();
    });
  }

  return {
    async add(receipt) {
      await loaded;
      if (queued.size >= limit || closing.signal.aborted) {
        counts.lost++;
        return;
      }
      const entry = { ...receipt, id: randomUUID() };
      try {
        await queue.put(entry);
      } catch {
        counts.lost++;
        return;
      }
      queued.set(entry.id, entry);
      start();
    },
    async flush() {
      await loaded;
      const all = [...queued.values()];
      for (let i = 0; i < all.length; i += AT_ONCE) await Promise.all(all.slice(i, i + AT_ONCE).map(attempt));
      wake.abort();
      wake = new AbortController();
      return queued.size;
    },
    async close() {
      await loaded;
      closing.abort();
      await looping;
    },
    get counts() {
      return { queued: queued.size, ...counts };
    },
  };
}
