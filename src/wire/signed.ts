/**
 * What a passkey signs: the SHA-256 of the canonical JSON (RFC 8785) of what stands here. The broker makes it from its own record, the console makes
 * it from what it shows and lets nothing else be signed, and `verify-ledger` makes it again from the entry. Nothing of Node: browsers read this too.
 */
import type { Digest, JsonObject } from './canonical.ts';
import type { CredentialKind } from './oauth.ts';

export const SIGNED_TYPE = 'urn:countersign:approval:v1';
export const ACT_TYPE = 'urn:countersign:passkey:v1';

/** What is agreed to, in the words of the ledger (wire.md §3.4). */
export interface SignedFacts {
  readonly client: string;
  readonly subject: string;
  readonly actors: readonly string[];
  readonly resource: string;
  readonly tool: string;
  readonly credential: CredentialKind;
  /** The commitment: the digest of what `committed` makes. */
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
/** Whoever knows the salt can show which arguments were signed; without it nobody can guess them, as the bare digest of few possible values would let them. */
export const committed = (argumentsDigest: Digest, salt: string): JsonObject => ({ arguments_digest: argumentsDigest, salt });

/** Of a plan: all that its steps would run with. Where a tool's arguments are hidden, their digest stands in their place. */
export interface PlanStep {
  readonly resource: string;
  readonly tool: string;
  readonly arguments?: JsonObject | undefined;
  readonly digest: Digest;
}
export const planned = (ordered: boolean, steps: readonly PlanStep[]): JsonObject => ({
  ordered,
  steps: steps.map(({ resource, tool, arguments: args, digest }) => ({
    resource,
    tool,
    ...(args ? { arguments: args } : { arguments_digest: digest }),
  })),
});

/** A passkey registered or removed, which another one of its person's signs for; the last one signs for its own removal. */
export interface ActFacts {
  readonly act: 'register' | 'remove';
  readonly person: string;
  /** The credential that comes or goes. */
  readonly credential: string;
  /** What its person calls it. */
  readonly label: string;
  /** Of the broker, for this act alone: it is good once. */
  readonly offer: string;
  /** Epoch seconds. */
  readonly expires: number;
}
export const actOf = ({ act, person, credential, label, offer, expires }: ActFacts): JsonObject => ({
  type: ACT_TYPE,
  act,
  person,
  passkey: { credential, label },
  offer,
  expires,
});
