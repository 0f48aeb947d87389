/**
 * What a passkey signs when its person agrees: one action, in one approval, under one bundle, until one moment (wire.md §3.4).
 *
 * The challenge is the SHA-256 of the canonical JSON (RFC 8785) of what `signedOf` makes. All of it stands in the ledger entry of the vote, so
 * anybody can make the challenge again from there, without a secret. Of the arguments it holds a commitment: the digest of
 * `{ arguments_digest, salt }`, `arguments_digest` as in wire.md §4. Whoever has the salt (who was asked to agree was given it; the broker's key
 * file makes it again) can show which arguments were signed; the ledger alone lets nobody guess them, as the bare digest of few possible values would.
 */
import { canonical, type Digest, digest, sha256 } from '../wire/digest.ts';
import type { JsonObject } from '../wire/json.ts';
import type { CredentialKind } from '../wire/oauth.ts';

export const SIGNED_TYPE = 'urn:countersign:approval:v1';
/** What is agreed to, in the words of the ledger. */
export interface SignedFacts {
  readonly client: string;
  readonly subject: string;
  readonly actors: readonly string[];
  readonly resource: string;
  readonly tool: string;
  readonly credential: CredentialKind;
  /** The commitment. */
  readonly arguments: Digest;
  readonly approval: string;
  readonly bundle: string;
  /** The latest moment at which anything can come of it: epoch seconds. */
  readonly expires: number;
  /** `confirm`: by the person acted for. */
  readonly vote: 'approve' | 'confirm';
  /** Of a plan, which of its steps, from 0; absent: all. */
  readonly steps?: readonly number[];
}
export function signedOf(facts: SignedFacts): JsonObject {
  const { approval, bundle, expires, vote, steps, client, subject, actors, resource, tool, credential } = facts;
  const action = { client, subject, actors, resource, tool, credential, arguments: facts.arguments };
  return { type: SIGNED_TYPE, action, approval, bundle, expires, vote, ...(steps && { steps }) };
}
/** As it stands in `clientDataJSON`. */
export const challengeOf = (signed: JsonObject): string => sha256(canonical(signed));
export const commitmentOf = (argumentsDigest: Digest, salt: string): Digest => digest({ arguments_digest: argumentsDigest, salt });
