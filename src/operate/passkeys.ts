/** A person's own passkeys: registered and removed by themselves, one entry each, with the public key, so that the ledger alone can be held against it. */
import { type Authenticators, type KeptPasskey, type Passkey, type PasskeyKeeper, passkeyKey, termOfPerson } from '../approve/passkeys.ts';
import { type Result, refuse } from '../errors.ts';
import type { Secret } from '../keys/secret.ts';
import type { Draft, EpochSeconds, World } from '../model.ts';
import type { Recorder } from '../record/record.ts';
import type { Store } from '../store/store.ts';
import { canonical, sha256 } from '../wire/digest.ts';
import { isObject, type JsonObject, parseJson } from '../wire/json.ts';
import { no, ok } from '../wire/result.ts';

/** As served at GET /operator/passkeys. */
export interface ShownPasskey {
  readonly id: string;
  readonly label: string;
  readonly made: EpochSeconds;
  readonly used?: EpochSeconds;
}
export interface Passkeys {
  /** `usable`: false where this broker is reached by an address, since browsers know passkeys of names alone. */
  list(person: string): Promise<{ readonly usable: boolean; readonly passkeys: readonly ShownPasskey[] }>;
  /** Options for the browser; what it answers is good for five minutes, once, for this person alone. Errors: `vote_refused` for whoever is no person. */
  offer(person: string): Promise<Result<object>>;
  /** Errors: `vote_refused` with a proof's flaw, `not_a_person`, `passkeys_too_many`; `state_conflict` for one that is or was registered, and for an offer that was used. */
  register(person: string, response: JsonObject, label: string): Promise<Result<ShownPasskey>>;
  /** Errors: `not_found`, also for somebody else's. */
  remove(person: string, id: string): Promise<Result<ShownPasskey>>;
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
const OFFER_SECONDS = 300;
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
  const { store, world, record, keeper, authenticators, secret, people } = rooms;
  const find = findPasskeys(rooms);
  const isPerson = (name: string): boolean => people.has(name.slice(0, Math.max(0, name.indexOf(':'))));
  const macOf = (person: string, root: string, until: EpochSeconds): string =>
    secret.mac('passkey', canonical({ offer: person, root, until }));

  /** Nothing is kept of an offer: what makes it this person's, and ends it, is in the challenge. */
  function challengeFor(person: string, now: EpochSeconds): string {
    const root = Buffer.from(world.random(16)).toString('base64url');
    const until = now + OFFER_SECONDS;
    return Buffer.from(`${root}.${until}.${macOf(person, root, until)}`).toString('base64url');
  }
  function offered(response: JsonObject, person: string, draft: Draft): string | undefined {
    const inner = response['response'];
    const said = isObject(inner) && typeof inner['clientDataJSON'] === 'string' ? inner['clientDataJSON'] : '';
    const client = parseJson(Buffer.from(said, 'base64url').toString('utf8'), 4_096);
    const challenge = client.ok && isObject(client.value) ? client.value['challenge'] : undefined;
    if (typeof challenge !== 'string') return undefined;
    const [, root, end, mac] = /^([\w-]{22})\.(\d{10})\.([\w-]{43})$/.exec(Buffer.from(challenge, 'base64url').toString('utf8')) ?? [];
    const until = Number(end);
    if (root === undefined || mac !== macOf(person, root, until) || draft.now >= until) return undefined;
    draft.spend({ once: `passkey/${root}`, issued: until - OFFER_SECONDS, until, else: 'state_conflict' });
    return challenge;
  }
  async function conduct<T>(person: string, step: string, work: (draft: Draft) => Promise<Result<T>>): Promise<Result<T>> {
    const draft = record.open('operator');
    draft.note({ by: person, detail: `${step} passkey`, context: { step } });
    try {
      const outcome = await work(draft);
      return outcome.ok ? outcome : no(await record.refuse(draft, outcome.error));
    } catch (fault) {
      return no(await record.fault(draft, fault));
    }
  }
  /** All that verify-ledger needs to check what this passkey signs, or not to believe it any more. */
  function tell(draft: Draft, step: string, { credential, publicKey }: Passkey): void {
    const key = { credential, public_key: publicKey, digest: digestOf(publicKey), origin: authenticators.origin };
    draft.note({ detail: `${step} passkey ${digestOf(publicKey)}`, context: { step, ...key } });
  }

  return {
    async list(person) {
      return { usable: authenticators.usable, passkeys: (await find(person)).map(({ passkey }) => shown(passkey)) };
    },
    async offer(person) {
      if (!isPerson(person)) return refuse('vote_refused', { detail: 'not_a_person' });
      const known = (await find(person)).map(({ passkey }) => passkey);
      return ok(await authenticators.offer(person, known, challengeFor(person, world.now())));
    },
    register: (person, response, label) =>
      conduct(person, 'register', async (draft) => {
        if (!isPerson(person)) return refuse('vote_refused', { detail: 'not_a_person' });
        const challenge = offered(response, person, draft);
        if (challenge === undefined) return refuse('vote_refused', { detail: 'proof_challenge' });
        if ((await find(person)).length >= MOST) return refuse('vote_refused', { detail: 'passkeys_too_many' });
        const admitted = await authenticators.admit(response, challenge);
        if (!admitted.ok) return refuse('vote_refused', { detail: admitted.error });
        const passkey: Passkey = { ...admitted.value, person, label, made: draft.now };
        tell(draft, 'register', passkey);
        const done = await record.commit(draft, 'passkey', [keeper.write({ version: 0, passkey }, passkey, 'state_conflict')]);
        return done.ok ? ok(shown(passkey)) : done;
      }),
    remove: (person, id) =>
      conduct(person, 'remove', async (draft) => {
        const own = (await find(person)).find(({ passkey }) => idOf(passkey) === id);
        const kept = own && keeper.read((await store.look([passkeyKey(own.passkey.credential)])).found[0]);
        if (!kept || kept.passkey.removed !== undefined) return refuse('not_found');
        const removed: Passkey = { ...kept.passkey, removed: draft.now };
        tell(draft, 'remove', removed);
        const done = await record.commit(draft, 'passkey', [keeper.write(kept, removed, 'state_conflict')]);
        return done.ok ? ok(shown(removed)) : done;
      }),
  };
}
/** Short, and stands in an address. */
const idOf = ({ credential }: Passkey): string => sha256(credential);
const digestOf = (publicKey: string): string => `sha-256:${sha256(publicKey)}`;
const shown = (passkey: Passkey): ShownPasskey => ({
  id: idOf(passkey),
  label: passkey.label,
  made: passkey.made,
  ...(passkey.used !== undefined && { used: passkey.used }),
});
