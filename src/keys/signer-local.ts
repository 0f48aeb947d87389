import { createHash, createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { ConfigError, Unavailable } from '../errors.ts';
import type { World } from '../model.ts';
import type { Found, Store } from '../store/store.ts';
import type { Json, JsonObject } from '../wire/json.ts';
import { type Alg, signJws } from '../wire/jws.ts';
import { selfSigned } from './certificate.ts';
import { NO_KEYS, publishedKeys, type Ring, type RingKey, type Timing } from './rotation.ts';
import type { Secret } from './secret.ts';
import type { RingKeeper, Signer } from './signer.ts';

const PREFIX = 'keys/';
const KID_BYTES = 12;
const SERIAL_BYTES = 15;
const generate = promisify(generateKeyPair);

export interface LocalSigner extends Signer, RingKeeper {
  close(): void;
}
export interface LocalSignerOptions {
  /** Which ring: action tokens and logins to back ends never share a key (RFC 8725 §3.12). */
  readonly ring: 'tokens' | 'backends';
  readonly store: Store;
  readonly secret: Secret;
  /** What to sign with; the first is the default. */
  readonly algs: readonly [Alg, ...Alg[]];
  readonly timing: Timing;
  readonly world: World;
}

/** All that one version of the ring gives; made once and replaced whole. */
interface Loaded {
  readonly version: number;
  readonly signing: ReadonlyMap<Alg, { readonly kid: string; readonly key: KeyObject }>;
  readonly verifying: ReadonlyMap<string, { readonly alg: Alg; readonly key: KeyObject }>;
  readonly body: JsonObject;
  readonly etag: string;
}

/**
 * Signs with keys of this process. The ring is one sealed record of the store: it is read at start, whenever it changes on any broker, and
 * again when what is known is older than half the skew, so that a step takes effect without a restart and a broker that cannot ask stops
 * signing. Throws ConfigError when the key file is not the one that the ring was sealed with.
 */
export async function localSigner(options: LocalSignerOptions): Promise<LocalSigner> {
  const { store, secret, algs, timing, world } = options;
  const ringKey = `${PREFIX}${options.ring}`;
  /** A private key opens under its own name alone: two of them cannot change places. */
  const nameOf = (kid: string): string => `${ringKey}/${kid}`;
  const freshMs = timing.skewSeconds * 500;
  const beatMs = Math.max(freshMs, 500);
  const closed = new AbortController();
  const kept = new Map<string, KeyObject>();
  let loaded: Loaded = { version: 0, signing: new Map(), verifying: new Map(), ...print(NO_KEYS) };
  let readAt = world.elapsed();
  let broken: unknown;
  let asking: Promise<void> | undefined;
  let queue: Promise<void> = Promise.resolve();

  async function look(): Promise<Found | undefined> {
    const { found } = await store.look([ringKey]);
    return found[0];
  }
  function opened(found: Found): Ring {
    return secret.open(ringKey, found.value) as unknown as Ring;
  }
  /** One after the other: what lands is never older than what is known, or the store has gone back in time. */
  function load(): Promise<void> {
    const turn = queue.then(async () => {
      const began = world.elapsed();
      const found = await look();
      const version = found?.version ?? 0;
      if (version < loaded.version) broken = new Unavailable('seal');
      else if (found && (version > loaded.version || broken !== undefined)) {
        try {
          loaded = take(opened(found), version);
          broken = undefined;
        } catch (fault) {
          broken = fault;
        }
      }
      readAt = began;
    });
    queue = turn.catch(() => undefined);
    return turn;
  }
  /** One look for all that wait for it. */
  async function fresh(): Promise<Loaded> {
    if (world.elapsed() - readAt > freshMs) {
      asking ??= load().finally(() => {
        asking = undefined;
      });
      await asking;
    }
    if (broken !== undefined) throw new Unavailable('key', broken);
    return loaded;
  }

  function take(ring: Ring, version: number): Loaded {
    const signing = new Map<Alg, { kid: string; key: KeyObject }>();
    const verifying = new Map<string, { alg: Alg; key: KeyObject }>();
    const live = new Set<string>();
    const once = (name: string, make: () => KeyObject): KeyObject => {
      live.add(name);
      const key = kept.get(name) ?? make();
      kept.set(name, key);
      return key;
    };
    for (const key of ring.keys) {
      const { kid, alg, publicJwk } = key;
      if (!publicJwk) continue;
      const publicKey = once(`public/${kid}`, () => createPublicKey({ key: publicJwk, format: 'jwk' }));
      verifying.set(kid, { alg, key: publicKey });
      if (key.state !== 'current') continue;
      signing.set(alg, { kid, key: once(`private/${kid}`, () => privateKey(key, publicKey)) });
    }
    for (const name of kept.keys()) if (!live.has(name)) kept.delete(name);
    return { version, signing, verifying, ...print(ring) };
  }
  function privateKey(key: RingKey, publicKey: KeyObject): KeyObject {
    const jwk = secret.open(nameOf(key.kid), key.sealed ?? null) as JsonObject;
    const own = createPrivateKey({ key: jwk, format: 'jwk' });
    // Otherwise every token would be refused by every verifier, and nobody here would know why.
    if (!createPublicKey(own).equals(publicKey)) throw new Unavailable('seal');
    return own;
  }

  async function follow(): Promise<void> {
    while (!closed.signal.aborted) {
      try {
        for await (const key of store.follow(PREFIX, closed.signal)) if (key === ringKey) await load();
      } catch {
        // The store is away; `beat` goes on asking, and this begins again.
      }
      await pause(beatMs, closed.signal);
    }
  }
  /** Beside following, since a store may fall silent without a word. */
  async function beat(): Promise<void> {
    while (!closed.signal.aborted) {
      await pause(beatMs, closed.signal);
      await load().catch(() => undefined);
    }
  }
  const pause = (ms: number, until: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      const over = world.after(ms);
      const end = (): void => {
        for (const signal of [over, until]) signal.removeEventListener('abort', end);
        resolve();
      };
      for (const signal of [over, until]) signal.addEventListener('abort', end);
      if (over.aborted || until.aborted) end();
    });

  try {
    await load();
    if (broken !== undefined) throw broken;
  } catch (fault) {
    if (fault instanceof Unavailable && fault.what === 'seal')
      throw new ConfigError(['keys.secret: it does not open the signing keys in the store; put back the secret they were sealed with']);
    throw fault;
  }
  void follow();
  void beat();

  return {
    algs,
    timing,
    async sign(header, claims) {
      const alg = header.alg ?? algs[0];
      const { signing } = await fresh();
      const current = signing.get(alg);
      if (!current) throw new Unavailable('key');
      return signJws(current.key, { alg, typ: header.typ, kid: current.kid }, claims);
    },
    published() {
      const age = world.elapsed() - readAt;
      if (age > freshMs) fresh().catch(() => undefined);
      // Older than a verifier may keep it, it could bring back what is gone or distrusted.
      if (broken !== undefined || (age > freshMs && age > timing.maxAgeSeconds * 1000)) throw new Unavailable('key', broken);
      return { body: loaded.body, etag: loaded.etag, maxAgeSeconds: timing.maxAgeSeconds };
    },
    keys: {
      async find(kid, alg) {
        const { verifying } = await fresh();
        const key = kid === undefined ? undefined : verifying.get(kid);
        return key?.alg === alg ? key.key : undefined;
      },
    },

    async read() {
      const found = await look();
      if (!found) return { ring: NO_KEYS, version: 0 };
      try {
        return { ring: opened(found), version: found.version };
      } catch (fault) {
        throw new Unavailable('key', fault);
      }
    },
    async make(alg) {
      // The name tells people its age; the random half makes it one of a kind.
      const day = new Date(world.now() * 1000).toISOString().slice(0, 10);
      const kid = `${day}-${Buffer.from(world.random(KID_BYTES)).toString('base64url')}`;
      const pair =
        alg === 'ES256'
          ? await generate('ec', { namedCurve: 'P-256' })
          : await generate('rsa', { modulusLength: 2048, publicExponent: 0x10001 });
      const bare = pair.publicKey.export({ format: 'jwk' }) as JsonObject;
      // Ceph's STS takes keys from certificates alone; verifiers of tokens have no use for one.
      const x5c = (): JsonObject => ({ x5c: [selfSigned(pair, { name: kid, serial: world.random(SERIAL_BYTES) }).toString('base64')] });
      const publicJwk = options.ring === 'backends' && alg === 'RS256' ? { ...bare, ...x5c() } : bare;
      const sealed = secret.seal(nameOf(kid), pair.privateKey.export({ format: 'jwk' }) as JsonObject);
      return { id: `key_${kid}`, kid, alg, publicJwk, sealed };
    },
    keep: (ring, version) => ({
      key: ringKey,
      version,
      value: secret.seal(ringKey, ring as unknown as Json),
      else: 'state_conflict',
    }),
    refresh: load,
    close: () => closed.abort(),
  };
}

/** A strong validator (RFC 9110 §8.8.1): the hash of the very bytes. */
function print(ring: Ring): { readonly body: JsonObject; readonly etag: string } {
  const body = publishedKeys(ring);
  return { body, etag: `"${createHash('sha256').update(JSON.stringify(body)).digest('base64url')}"` };
}
