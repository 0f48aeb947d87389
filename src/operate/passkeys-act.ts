/** A passkey that comes or goes while its person has one: they sign for it with one that they have, over that very act. */
import { type ActFacts, actOf, challengeOf } from '../approve/challenge.ts';
import { type Assertion, type Authenticators, type KeptPasskey, toldOf } from '../approve/passkeys.ts';
import { type Result, refuse } from '../errors.ts';
import type { Secret } from '../keys/secret.ts';
import type { Draft, EpochSeconds, World } from '../model.ts';
import { canonical, isSameText } from '../wire/digest.ts';
import type { JsonObject } from '../wire/json.ts';
import { ok } from '../wire/result.ts';

/** What makes an act this person's, and ends it. Nothing is kept of an offer: it stands in what is signed, under a MAC. */
export interface Offers {
  /** Base64url. */
  make(person: string): string;
  /** Until when it is good: epoch seconds. Undefined where it is not this person's, or its time is over. */
  read(offer: string, person: string, now: EpochSeconds): EpochSeconds | undefined;
  /** Good once. */
  spend(offer: string, until: EpochSeconds, draft: Draft): void;
}
const OFFER_SECONDS = 300;
const FORM = /^([\w-]{22})\.(\d{10})\.([\w-]{43})$/;

export function createOffers({ world, secret }: { readonly world: World; readonly secret: Pick<Secret, 'mac'> }): Offers {
  const macOf = (person: string, root: string, until: EpochSeconds): string =>
    secret.mac('passkey', canonical({ offer: person, root, until }));
  const partsOf = (offer: string): readonly string[] => FORM.exec(Buffer.from(offer, 'base64url').toString('utf8')) ?? [];
  return {
    make(person) {
      const root = Buffer.from(world.random(16)).toString('base64url');
      const until = world.now() + OFFER_SECONDS;
      return Buffer.from(`${root}.${until}.${macOf(person, root, until)}`).toString('base64url');
    },
    read(offer, person, now) {
      const [, root, end, mac] = partsOf(offer);
      const until = Number(end);
      if (root === undefined || mac === undefined || !isSameText(mac, macOf(person, root, until))) return undefined;
      return now < until ? until : undefined;
    },
    spend(offer, until, draft) {
      const [, root = ''] = partsOf(offer);
      draft.spend({ once: `passkey/${root}`, issued: until - OFFER_SECONDS, until, else: 'state_conflict' });
    },
  };
}

/** As served at POST /operator/passkeys/challenge. */
export interface ActChallenge {
  /** For `navigator.credentials.get`: its challenge is the SHA-256 of the canonical JSON of `signed`. */
  readonly options: object;
  readonly signed: JsonObject;
}
export async function askFor(authenticators: Authenticators, own: readonly KeptPasskey[], facts: ActFacts): Promise<ActChallenge> {
  const signed = actOf(facts);
  const allowed = own.map(({ passkey }) => passkey);
  return { options: await authenticators.ask(allowed, challengeOf(signed)), signed };
}
export interface ProvenAct {
  /** The one that signed, as it stands, and what it counts now. */
  readonly kept: KeptPasskey;
  readonly counter: number;
  /** All that checking it again needs, for the entry. */
  readonly told: JsonObject;
}
/**
 * Did one that this person has sign for it? `own`: those alone that they have. Errors: `vote_refused` with `proof_needed` without an assertion,
 * `passkey_unknown` for one of nobody, of somebody else, or the new one itself; else what is wrong with the assertion.
 */
export async function proveAct(
  authenticators: Authenticators,
  own: readonly KeptPasskey[],
  facts: ActFacts,
  assertion: Assertion | undefined,
): Promise<Result<ProvenAct>> {
  if (!assertion) return refuse('vote_refused', { detail: 'proof_needed' });
  const kept = own.find(({ passkey }) => passkey.credential === assertion.credential);
  if (!kept) return refuse('vote_refused', { detail: 'passkey_unknown' });
  const counter = await authenticators.check(assertion, kept.passkey, challengeOf(actOf(facts)));
  if (!counter.ok) return refuse('vote_refused', { detail: counter.error });
  const told = { ...toldOf(assertion, kept.passkey), offer: facts.offer, expires: facts.expires };
  return ok({ kept, counter: counter.value, told });
}
