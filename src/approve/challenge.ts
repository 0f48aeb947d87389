/**
 * What a passkey signs when its person agrees: one action, in one approval, under one bundle, until one moment (wire.md §3.4).
 *
 * All of what `signedOf` makes stands in the ledger entry of the vote, so anybody can make the challenge again from there, without a secret. Of the
 * arguments it holds a commitment, whose salt whoever was asked to agree was given, and the broker's key file makes again.
 */
import { canonical, type Digest, digest, sha256 } from '../wire/digest.ts';
import type { JsonObject } from '../wire/json.ts';
import { committed } from '../wire/signed.ts';

export { type ActFacts, actOf, type SignedFacts, signedOf } from '../wire/signed.ts';

/** As it stands in `clientDataJSON`. */
export const challengeOf = (signed: JsonObject): string => sha256(canonical(signed));
export const commitmentOf = (argumentsDigest: Digest, salt: string): Digest => digest(committed(argumentsDigest, salt));
