/** Another party's keys over HTTP, kept so that its slowness, size, death or malice stays its own. May not know what is signed with them. */
import type { KeyObject } from 'node:crypto';
import { isObject, type JsonObject, parseJson } from './json.ts';
import { type PublicKey, pick, readJwks } from './jwks.ts';
import type { Alg, KeySource, Waiting } from './jws.ts';

export interface RemoteKeysOptions {
  /** The key set itself, or the issuer whose metadata names it (OpenID Connect Discovery §4, RFC 8414 §3). https, or http on loopback. */
  readonly url: string | { readonly issuer: string; readonly document?: 'openid-configuration' | 'oauth-authorization-server' };
  /** Epoch seconds. */
  readonly now: () => number;
  readonly fetch?: typeof fetch;
  /** How long past its freshness a set still serves while the source does not answer. Default 600. */
  readonly staleSeconds?: number;
  /** After a failure nobody asks the source again for so long. Default 10. */
  readonly deadSeconds?: number;
  /** An unknown `kid` asks the source at most once in so long. Default 5. */
  readonly cooldownSeconds?: number;
  /** One refresh, discovery included. Default 3000. */
  readonly deadlineMs?: number;
}
export interface RemoteKeys extends KeySource {
  /** Asks the source now unless it is known to be dead: for a warm start and readiness. Never throws; says whether keys can be found. */
  refresh(): Promise<boolean>;
}
export type KeysFlaw =
  | 'keys_dead'
  | 'keys_deadline'
  | 'keys_network'
  | 'keys_status'
  | 'keys_size'
  | 'keys_form'
  | 'keys_url'
  | 'keys_issuer'
  | 'keys_abandoned';
/** Why nothing can be known of a key; `checkToken` makes `keys_unavailable` of it. */
export class KeysUnavailable extends Error {
  readonly code: KeysFlaw;
  constructor(code: KeysFlaw) {
    super('keys unavailable');
    this.code = code;
  }
}

export const MAX_DOCUMENT_BYTES = 256 * 1024;
/** What `max-age` is bounded to, and what stands for it when the source names none. */
const FRESH = { min: 30, max: 600, default: 300 };

interface KeySet {
  readonly keys: readonly PublicKey[];
  readonly at: number;
  readonly freshSeconds: number;
}

/** https anywhere; http where no network is crossed; no user and no fragment. */
export function guardedUrl(text: unknown): URL | undefined {
  const url = typeof text === 'string' && text.length <= 2_048 ? URL.parse(text) : null;
  if (url === null || url.username !== '' || url.password !== '' || url.hash !== '') return undefined;
  if (url.protocol === 'https:') return url;
  const loopback = url.hostname === 'localhost' || url.hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(url.hostname);
  return url.protocol === 'http:' && loopback ? url : undefined;
}

/**
 * A key source that asks at most one question at a time. Fresh for the source's `max-age` (30 s to 10 min); then served stale while one
 * refresh runs behind; past `staleSeconds` it throws. A key removed at the source stops verifying with the refresh that does not show it.
 * Errors: TypeError at once for an address that is neither https nor loopback; `find` rejects with KeysUnavailable.
 */
export function remoteKeys(options: RemoteKeysOptions): RemoteKeys {
  const { now, url } = options;
  const ask = options.fetch ?? fetch;
  const { staleSeconds = 600, deadSeconds = 10, cooldownSeconds = 5, deadlineMs = 3_000 } = options;
  const root = guardedUrl(typeof url === 'string' ? url : url.issuer);
  // RFC 8414 §2: an issuer has no query.
  if (!root || (typeof url !== 'string' && root.search !== '')) throw new TypeError('a key source must be https, or http on loopback');

  let set: KeySet | undefined;
  let flight: Promise<void> | undefined;
  let failedAt: number | undefined;
  let unknownAt: number | undefined;

  const within = (since: number | undefined, seconds: number, at: number): boolean =>
    since !== undefined && at >= since && at - since < seconds;
  const usable = (at: number): KeySet | undefined => (set && within(set.at, set.freshSeconds + staleSeconds, at) ? set : undefined);

  /** One question for all who wait; the answer, or its failure, is remembered before anybody hears of it. */
  function load(): Promise<void> {
    flight ??= fetchSet()
      .then(
        (found) => {
          set = found;
          failedAt = undefined;
        },
        (fault: unknown) => {
          failedAt = now();
          throw fault;
        },
      )
      .finally(() => {
        flight = undefined;
      });
    return flight;
  }

  async function fetchSet(): Promise<KeySet> {
    // The timer is unreferenced: a process with nothing else to do may end.
    const signal = AbortSignal.timeout(deadlineMs);
    return abandonable(fetchAll(signal), { signal }, 'keys_deadline');
  }
  async function fetchAll(signal: AbortSignal): Promise<KeySet> {
    const { body, maxAge } = await fetchDocument(ask, await address(signal), signal);
    const read = readJwks(body);
    if (!read.ok) throw new KeysUnavailable('keys_form');
    const freshSeconds = Math.min(Math.max(maxAge ?? FRESH.default, FRESH.min), FRESH.max);
    return { keys: read.value, at: now(), freshSeconds };
  }
  async function address(signal: AbortSignal): Promise<URL> {
    if (typeof url === 'string') return new URL(url);
    const issuer = new URL(url.issuer);
    const path = issuer.pathname.replace(/\/$/, '');
    // OpenID Connect Discovery §4 appends; RFC 8414 §3.1 inserts between host and path.
    issuer.pathname =
      url.document === 'oauth-authorization-server'
        ? `/.well-known/oauth-authorization-server${path}`
        : `${path}/.well-known/openid-configuration`;
    const { body } = await fetchDocument(ask, issuer, signal);
    // RFC 8414 §3.3: identical, to the letter.
    if (body['issuer'] !== url.issuer) throw new KeysUnavailable('keys_issuer');
    const found = guardedUrl(body['jwks_uri']);
    // An issuer out there must not point us at a service in here.
    if (!found || (issuer.protocol === 'https:' && found.protocol !== 'https:')) throw new KeysUnavailable('keys_url');
    return found;
  }

  return {
    async find(kid: string | undefined, alg: Alg, waiting?: Waiting): Promise<KeyObject | undefined> {
      const at = now();
      const dead = within(failedAt, deadSeconds, at);
      const known = usable(at);
      if (!known) {
        if (dead) throw new KeysUnavailable('keys_dead');
        await abandonable(load(), waiting, 'keys_abandoned');
        return pick(set?.keys ?? [], kid, alg);
      }
      if (!dead && !within(known.at, known.freshSeconds, at)) load().catch(() => undefined); // remembered in `failedAt`
      const key = pick(known.keys, kid, alg);
      if (key || kid === undefined) return key;

      // A key we have not seen: new at the source, or nobody's.
      if (dead) throw new KeysUnavailable('keys_dead');
      if (within(unknownAt, cooldownSeconds, at)) {
        if (flight) await abandonable(flight, waiting, 'keys_abandoned');
      } else {
        unknownAt = at;
        await abandonable(load(), waiting, 'keys_abandoned');
      }
      return pick(set?.keys ?? [], kid, alg);
    },
    async refresh() {
      try {
        if (!within(failedAt, deadSeconds, now())) await load().catch(() => undefined);
        return usable(now()) !== undefined;
      } catch {
        return false; // the clock itself is in doubt
      }
    },
  };
}

/** One JSON object, whole: 200 alone, no redirect, its size counted as it arrives (after decompression). */
async function fetchDocument(
  ask: typeof fetch,
  url: URL,
  signal: AbortSignal,
): Promise<{ readonly body: JsonObject; readonly maxAge: number | undefined }> {
  let response: Response;
  try {
    response = await ask(url, { redirect: 'manual', signal, headers: { accept: 'application/json' }, credentials: 'omit' });
  } catch {
    throw new KeysUnavailable(signal.aborted ? 'keys_deadline' : 'keys_network');
  }
  if (response.status !== 200 || response.redirected) {
    response.body?.cancel().catch(() => undefined);
    throw new KeysUnavailable('keys_status');
  }
  const bytes = await readBody(response, signal);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new KeysUnavailable('keys_form');
  }
  const parsed = parseJson(text, MAX_DOCUMENT_BYTES);
  if (!parsed.ok || !isObject(parsed.value)) throw new KeysUnavailable('keys_form');
  return { body: parsed.value, maxAge: maxAgeOf(response.headers.get('cache-control') ?? '') };
}

/** RFC 9111 §5.2.2: what may not be kept is kept as short as anything is. */
function maxAgeOf(control: string): number | undefined {
  if (/(?:^|[\s,])no-(?:store|cache)(?:$|[\s,])/i.test(control)) return 0;
  const age = /(?:^|[\s,])max-age=(\d{1,9})(?:$|[\s,])/i.exec(control)?.[1];
  return age === undefined ? undefined : Number(age);
}

async function readBody(response: Response, signal: AbortSignal): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of response.body ?? []) {
      size += chunk.byteLength;
      if (size > MAX_DOCUMENT_BYTES) throw new KeysUnavailable('keys_size'); // leaving the loop cancels the stream
      chunks.push(chunk);
    }
  } catch (fault) {
    if (fault instanceof KeysUnavailable) throw fault;
    throw new KeysUnavailable(signal.aborted ? 'keys_deadline' : 'keys_network');
  }
  return Buffer.concat(chunks);
}

/** The work goes on for the others who wait; this one leaves when its signal says so. */
function abandonable<T>(work: Promise<T>, waiting: Waiting | undefined, code: KeysFlaw): Promise<T> {
  if (!waiting) return work;
  const { signal } = waiting;
  return new Promise<T>((resolve, reject) => {
    const leave = (): void => reject(new KeysUnavailable(code));
    if (signal.aborted) leave();
    signal.addEventListener('abort', leave, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
  });
}
