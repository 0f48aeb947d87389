/** What do we sign with? Knows key states and sealed private keys; may not know what a token says. */
import type { JsonObject } from '../wire/json.ts';
import type { Alg, KeySource } from '../wire/jws.ts';

/** Back ends: signer-local (later transit, kms). */
export interface Signer {
  /** One compact JWS by the current key of `alg`; `kid` and `alg` are added to the header. Throws Unavailable('key') when there is none. */
  sign(header: { readonly typ: string; readonly alg?: Alg }, claims: JsonObject): Promise<string>;
  /** What /jwks answers: next, current and retiring keys. */
  published(): { readonly body: JsonObject; readonly etag: string; readonly maxAgeSeconds: number };
  /** Our own public keys, for our own tokens; never a key that is gone. */
  readonly keys: KeySource;
}
