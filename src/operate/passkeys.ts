/**
 * A person's own passkeys: registered and removed by themselves, one entry each, with the public key, so that the ledger alone can be held against it.
 * Whoever has one signs with it for every further one and for every removal; who has lost all of them needs an operator at the local socket.
 */
import type { ActFacts } from '../approve/challenge.ts';
import {
  type Assertion,
  type Authenticators,
  type Holding,
  holdingKey,
  type KeptPasskey,
  type Passkey,
  type PasskeyKeeper,
  termOfPerson,
} from '../approve/passkeys.ts';
import { type Result, refuse } from '../errors.ts';
import type { Secret } from '../keys/secret.ts';
import type { Claim, Draft, EpochSeconds, World } from '../model.ts';
import type { Recorder } from '../record/record.ts';
import type { Store } from '../store/store.ts';
import { sha256 } from '../wire/digest.ts';
import { isObject, type JsonObject, parseJson } from '../wire/json.ts';
import { no, ok } from '../wire/result.ts';
import { type ActChallenge, askFor, createOffers, proveAct } from './passkeys-act.ts';

/** As served at GET /operator/passkeys. */
export interface ShownPasskey {
  readonly id: string;
  /** As its authenticator calls it. */
  readonly credential: string;
  readonly label: string;
  readonly made: EpochSeconds;
  readonly used?: EpochSeconds;
}
/** What is to be signed for: a new one as the browser has made it for this `offer`, or one that goes, by its short id. */
export type Act =
  | { readonly act: 'register'; readonly credential: string; readonly label: string; readonly offer: string }
  | { readonly act: 'remove'; readonly id: string };
export interface Registering {
  /** As the browser says it. */
  readonly response: JsonObject;
  readonly label: string;
  /** Of one that they have; not needed for the first. */
  readonly assertion?: Assertion;
}
export interface Removing {
  readonly id: string;
  readonly offer: string;
  readonly assertion?: Assertion;
}
export interface Passkeys {
  /** `usable`: false where this broker is reached by an address, since browsers know passkeys of names alone. */
  list(person: string): Promise<{ readonly usable: boolean; readonly passkeys: readonly ShownPasskey[] }>;
  /**
   * Options for the browser; what it answers is good for five minutes, once, for this person alone. `proof`: one that they have signs for it. Errors:
   * `vote_refused` for whoever is no person.
   */
  offer(person: string): Promise<Result<{ readonly options: object; readonly proof?: 'passkey' }>>;
  /** What one that they have signs, so that this is done. No entry. Errors: `not_found`, `vote_refused` with `passkey_none` or `proof_challenge`. */
  challenge(person: string, act: Act): Promise<Result<ActChallenge>>;
  /**
   * Errors: `vote_refused` with a proof's flaw, `proof_needed`, `passkey_unknown`, `not_a_person`, `passkeys_too_many`; `state_conflict` for one that is or was
   * registered, for an offer that was used, and with `edited` where the store holds fewer or more than were registered.
   */
  register(person: string, asked: Registering): Promise<Result<ShownPasskey>>;
  /** Errors: `not_found`, also for somebody else's; else as for registering. */
  remove(person: string, asked: Removing): Promise<Result<ShownPasskey>>;
  /** All of somebody's, who has lost them. Their next one is a first one again. Errors: `not_found` for whoever has none. */
  reset(person: string, reason: string, by: { readonly name: string }): Promise<Result<{ readonly removed: readonly ShownPasskey[] }>>;
}
export interface PasskeysRooms {
  readonly store: Pick<Store, 'look' | 'scan'>;
  readonly world: World;
  readonly record: Recorder;
  readonly keeper: PasskeyKeeper;
  readonly authenticators: Authenticators;
  readonly secret: Pick<Secret, 'mac'>;
  /** Ids of the issuers that vouch for people. */
  readonly people: ReadonlySet<string>;
}
const MOST = 20;

export type FindPasskeys = (person: string) => Promise<readonly KeptPasskey[]>;
export const findPasskeys =
  ({ store, keeper }: Pick<PasskeysRooms, 'store' | 'keeper'>): FindPasskeys =>
  async (person) => {
    const rows = await store.scan({ term: termOfPerson(person), limit: 10 * MOST });
    const kept = rows.flatMap((row) => keeper.read(row) ?? []);
    return kept.filter(({ passkey }) => passkey.person === person && passkey.removed === undefined);
  };

export function createPasskeys(rooms: PasskeysRooms): Passkeys {
  const { store, world, record, keeper, authenticators, people } = rooms;
  const find = findPasskeys(rooms);
  const offers = createOffers(rooms);
  const isPerson = (name: string): boolean => people.has(name.slice(0, Math.max(0, name.indexOf(':'))));

  /** Those that they have, and the record that says how many. Errors: `state_conflict` where the two do not agree. */
  async function held(person: string): Promise<Result<{ readonly own: readonly KeptPasskey[]; readonly holding: Holding }>> {
    const look = async (): Promise<Holding | undefined> => keeper.holding(person, (await store.look([holdingKey(person)])).found[0]);
    const holding = await look();
    const own = await find(person);
    if (holding && (holding.version === 0 || holding.count === own.length)) return ok({ own, holding });
    // Between the two looks another act of theirs may have landed.
    const edited = (await look())?.version === holding?.version;
    return refuse('state_conflict', edited ? { detail: 'edited' } : {});
  }
  async function conduct<T>(by: string, step: string, work: (draft: Draft) => Promise<Result<T>>): Promise<Result<T>> {
    const draft = record.open('operator');
    draft.note({ by, detail: `${step} passkey`, context: { step } });
    try {
      const outcome = await work(draft);
      return outcome.ok ? outcome : no(await record.refuse(draft, outcome.error));
    } catch (fault) {
      return no(await record.fault(draft, fault));
    }
  }
  /** All that verify-ledger needs to check what this passkey signs, or not to believe it any more. */
  function tell(draft: Draft, step: string, { credential, publicKey, label }: Passkey, proof?: JsonObject): void {
    const key = { credential, public_key: publicKey, digest: digestOf(publicKey), origin: authenticators.origin, label };
    draft.note({ detail: `${step} passkey ${digestOf(publicKey)}`, context: { step, ...key, ...(proof && { passkey: proof }) } });
  }

  return {
    async list(person) {
      return { usable: authenticators.usable, passkeys: (await find(person)).map(({ passkey }) => shown(passkey)) };
    },
    async offer(person) {
      if (!isPerson(person)) return refuse('vote_refused', { detail: 'not_a_person' });
      const known = (await find(person)).map(({ passkey }) => passkey);
      const options = await authenticators.offer(person, known, offers.make(person));
      return ok({ options, ...(known.length > 0 && { proof: 'passkey' as const }) });
    },
    async challenge(person, asked) {
      const own = await find(person);
      if (own.length === 0) return refuse('vote_refused', { detail: 'passkey_none' });
      const goes = asked.act === 'remove' ? own.find(({ passkey }) => idOf(passkey) === asked.id)?.passkey : undefined;
      const comes = asked.act === 'register' ? asked : undefined;
      const about = comes ?? goes;
      if (!about) return refuse('not_found');
      const { credential, label } = about;
      const offer = comes?.offer ?? offers.make(person);
      const expires = offers.read(offer, person, world.now());
      if (expires === undefined) return refuse('vote_refused', { detail: 'proof_challenge' });
      return ok(await askFor(authenticators, own, { act: asked.act, person, credential, label, offer, expires }));
    },
    register: (person, { response, label, assertion }) =>
      conduct(person, 'register', async (draft) => {
        if (!isPerson(person)) return refuse('vote_refused', { detail: 'not_a_person' });
        const offer = offerIn(response);
        const expires = offers.read(offer, person, draft.now);
        if (expires === undefined) return refuse('vote_refused', { detail: 'proof_challenge' });
        offers.spend(offer, expires, draft);
        const all = await held(person);
        if (!all.ok) return all;
        const { own, holding } = all.value;
        if (own.length >= MOST) return refuse('vote_refused', { detail: 'passkeys_too_many' });
        const admitted = await authenticators.admit(response, offer);
        if (!admitted.ok) return refuse('vote_refused', { detail: admitted.error });
        const { credential } = admitted.value;
        const facts: ActFacts = { act: 'register', person, credential, label, offer, expires };
        const proven = own.length === 0 ? undefined : await proveAct(authenticators, own, facts, assertion);
        if (proven && !proven.ok) return proven;
        const passkey: Passkey = { ...admitted.value, person, label, made: draft.now };
        tell(draft, 'register', passkey, proven?.value.told);
        const claims: Claim[] = [
          keeper.write({ version: 0, passkey }, passkey, 'state_conflict'),
          keeper.hold(person, holding, own.length + 1, 'state_conflict'),
        ];
        if (proven) {
          const { kept, counter } = proven.value;
          claims.push(keeper.write(kept, { ...kept.passkey, counter, used: draft.now }, 'state_conflict'));
        }
        const done = await record.commit(draft, 'passkey', claims);
        return done.ok ? ok(shown(passkey)) : done;
      }),
    remove: (person, { id, offer, assertion }) =>
      conduct(person, 'remove', async (draft) => {
        const all = await held(person);
        if (!all.ok) return all;
        const { own, holding } = all.value;
        const goes = own.find(({ passkey }) => idOf(passkey) === id);
        if (!goes) return refuse('not_found');
        const expires = offers.read(offer, person, draft.now);
        if (expires === undefined) return refuse('vote_refused', { detail: assertion ? 'proof_challenge' : 'proof_needed' });
        offers.spend(offer, expires, draft);
        const { credential, label } = goes.passkey;
        const proven = await proveAct(authenticators, own, { act: 'remove', person, credential, label, offer, expires }, assertion);
        if (!proven.ok) return proven;
        const { kept, counter, told } = proven.value;
        const used = { ...kept.passkey, counter, used: draft.now };
        const itself = kept.passkey.credential === credential;
        const removed: Passkey = { ...(itself ? used : goes.passkey), removed: draft.now };
        tell(draft, 'remove', removed, told);
        const done = await record.commit(draft, 'passkey', [
          keeper.write(goes, removed, 'state_conflict'),
          keeper.hold(person, holding, own.length - 1, 'state_conflict'),
          ...(itself ? [] : [keeper.write(kept, used, 'state_conflict')]),
        ]);
        return done.ok ? ok(shown(removed)) : done;
      }),
    reset: (person, reason, by) =>
      conduct(by.name, 'reset', async (draft) => {
        const own = await find(person);
        // Also where the two do not agree any more: this is what mends it.
        const [found] = (await store.look([holdingKey(person)])).found;
        if (own.length === 0 && keeper.holding(person, found)?.count === 0) return refuse('not_found');
        draft.note({
          detail: `reset passkeys of ${person}`,
          context: { step: 'reset', person, reason, credentials: own.map(({ passkey }) => passkey.credential) },
        });
        const removed = own.map(({ version, passkey }) => ({ version, passkey, next: { ...passkey, removed: draft.now } }));
        const done = await record.commit(draft, 'passkey', [
          ...removed.map(({ next, ...kept }) => keeper.write(kept, next, 'state_conflict')),
          keeper.hold(person, { version: found?.version ?? 0 }, 0, 'state_conflict'),
        ]);
        return done.ok ? ok({ removed: removed.map(({ next }) => shown(next)) }) : done;
      }),
  };
}
/** What the browser says that it was made for. */
function offerIn({ response: inner }: JsonObject): string {
  const said = isObject(inner) && typeof inner['clientDataJSON'] === 'string' ? inner['clientDataJSON'] : '';
  const client = parseJson(Buffer.from(said, 'base64url').toString('utf8'), 4_096);
  const challenge = client.ok && isObject(client.value) ? client.value['challenge'] : undefined;
  return typeof challenge === 'string' ? challenge : '';
}
/** Short, and stands in an address. */
const idOf = ({ credential }: Passkey): string => sha256(credential);
const digestOf = (publicKey: string): string => `sha-256:${sha256(publicKey)}`;
const shown = (passkey: Passkey): ShownPasskey => ({
  id: idOf(passkey),
  credential: passkey.credential,
  label: passkey.label,
  made: passkey.made,
  ...(passkey.used !== undefined && { used: passkey.used }),
});
