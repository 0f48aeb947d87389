/** What do we sign with? Knows key states and sealed private keys; may not know what a token says. */
import type { Claim } from '../model.ts';
import type { JsonObject } from '../wire/json.ts';
import type { Alg, KeySource } from '../wire/jws.ts';
import type { NewKey, Ring, Timing } from './rotation.ts';

/** Back ends: signer-local (later transit, kms). */
export interface Signer {
  /** One compact JWS by the current key of `alg`; `kid` and `alg` are added to the header. Throws Unavailable('key') when there is none. */
  sign(header: { readonly typ: string; readonly alg?: Alg }, claims: JsonObject): Promise<string>;
  /** What /jwks answers: next, current and retiring keys. Throws Unavailable('key') when what is known is too old to show. */
  published(): { readonly body: JsonObject; readonly etag: string; readonly maxAgeSeconds: number };
  /** Our own public keys, for our own tokens; never a key that is gone. */
  readonly keys: KeySource;
}

/** The same keys as those who rotate them see them. Nothing here writes: a new ring takes hold with the commit of its claim. */
export interface RingKeeper {
  /** What is signed with here; the default first. */
  readonly algs: readonly Alg[];
  readonly timing: Timing;
  /** From the store, as fresh as the last commit; version 0 and no keys where there is none yet. Throws Unavailable('key'). */
  read(): Promise<{ readonly ring: Ring; readonly version: number }>;
  /** A key pair that nobody has seen. */
  make(alg: Alg): Promise<NewKey>;
  /** The ring in place of the one that was read at `version`; else `state_conflict`. */
  keep(ring: Ring, version: number): Claim;
  /** Takes up what was committed, without waiting to be told. */
  refresh(): Promise<void>;
}
