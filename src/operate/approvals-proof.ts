/** A vote that its person's passkey signs: what is to be signed, and whether it was. */
import { challengeOf, commitmentOf, type SignedFacts, signedOf } from '../approve/challenge.ts';
import type { Keeper } from '../approve/kept.ts';
import { type Assertion, type AssertionFlaw, type Authenticators, type PasskeyKeeper, passkeyKey, toldOf } from '../approve/passkeys.ts';
import { type Approval, latestOf } from '../approve/state.ts';
import { type Claim, type EpochSeconds, nameOf } from '../model.ts';
import type { Store } from '../store/store.ts';
import type { JsonObject } from '../wire/json.ts';
import { no, ok, type Result } from '../wire/result.ts';
import { findPasskeys } from './passkeys.ts';

export { type Assertion, assertionOf } from '../approve/passkeys.ts';

/** `steps`: of a plan, those that are agreed to. */
export interface Agreeing {
  readonly confirms: boolean;
  readonly steps?: readonly number[];
}
/** As served at POST /operator/approvals/:id/challenge. */
export interface Challenge {
  /** For `navigator.credentials.get`: its challenge is the SHA-256 of the canonical JSON of `signed`. */
  readonly options: object;
  readonly signed: JsonObject;
  /** `signed.action.arguments` is the digest of `{ arguments_digest, salt }`. */
  readonly salt: string;
  readonly arguments_digest: string;
}
export interface Proven {
  /** All that checking it again needs, for the entry. */
  readonly told: JsonObject;
  /** It is still this person's, and is used once more. */
  readonly claim: Claim;
}
export interface Prover {
  /** Errors: `passkey_none` for a person who has not registered one. */
  challenge(approval: Approval, person: string, agreeing: Agreeing): Promise<Result<Challenge, 'passkey_none'>>;
  /** Errors: `passkey_unknown` for one that is not this person's, or is not any more, or was edited; else what is wrong with the assertion. */
  prove(
    approval: Approval,
    person: string,
    agreeing: Agreeing,
    assertion: Assertion,
    now: EpochSeconds,
  ): Promise<Result<Proven, AssertionFlaw | 'passkey_unknown'>>;
}

export function createProver(rooms: {
  readonly store: Pick<Store, 'look' | 'scan'>;
  readonly approvals: Pick<Keeper, 'saltOf'>;
  readonly keeper: PasskeyKeeper;
  readonly authenticators: Authenticators;
}): Prover {
  const { store, approvals, keeper, authenticators } = rooms;
  const find = findPasskeys(rooms);
  const factsOf = (approval: Approval, { confirms, steps }: Agreeing): SignedFacts => ({
    client: approval.client,
    subject: nameOf(approval.subject),
    actors: approval.actors,
    resource: approval.resource,
    tool: approval.tool,
    credential: approval.credential,
    arguments: commitmentOf(approval.digest, approvals.saltOf(approval.id)),
    approval: approval.id,
    bundle: approval.bundle,
    expires: latestOf(approval),
    vote: confirms ? 'confirm' : 'approve',
    ...(steps && { steps }),
  });
  return {
    async challenge(approval, person, agreeing) {
      const signed = signedOf(factsOf(approval, agreeing));
      const allowed = (await find(person)).map(({ passkey }) => passkey);
      if (allowed.length === 0) return no('passkey_none');
      const options = await authenticators.ask(allowed, challengeOf(signed));
      return ok({ options, signed, salt: approvals.saltOf(approval.id), arguments_digest: approval.digest });
    },
    async prove(approval, person, agreeing, assertion, now) {
      const kept = keeper.read((await store.look([passkeyKey(assertion.credential)])).found[0]);
      const { passkey } = kept ?? {};
      if (!kept || passkey?.credential !== assertion.credential || passkey.person !== person || passkey.removed !== undefined)
        return no('passkey_unknown');
      const facts = factsOf(approval, agreeing);
      const counter = await authenticators.check(assertion, passkey, challengeOf(signedOf(facts)));
      if (!counter.ok) return counter;
      const claim = keeper.write(kept, { ...passkey, counter: counter.value, used: now }, 'state_conflict');
      const { arguments: commitment, expires } = facts;
      const told = { ...toldOf(assertion, passkey), arguments: commitment, expires, ...(facts.steps && { steps: facts.steps }) };
      return ok({ told, claim });
    },
  };
}
