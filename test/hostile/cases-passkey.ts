/** What must not pass for a person's signature: each case brings about its own approval and passkey, and knows the exact answer. */
import { canonical, EMPTY_DIGEST, sha256 } from '../../src/wire/digest.ts';
import type { JsonObject } from '../../src/wire/json.ts';
import { deletion, pending } from '../flow/approving.ts';
import { approver, cast, challengeOf, type Holder, holder, register, removePasskey, signedVote } from '../flow/keyholders.ts';
import { softPasskey, type Wrong } from '../support/passkey.ts';
import type { Answer, Rig } from '../support/rig.ts';

export interface PasskeyCase {
  readonly name: string;
  readonly run: (scene: Scene) => Promise<Answer>;
  /** Of the vote; absent: it counts. */
  readonly detail?: string;
  readonly status?: number;
}
export interface Scene {
  readonly rig: Rig;
  /** This case's own. */
  readonly holder: Holder;
  readonly id: string;
  readonly name: string;
}
const signing =
  (wrong: Wrong) =>
  ({ holder: by, id }: Scene): Promise<Answer> =>
    signedVote(by, id, wrong);
const UP = 0x01;
const UV = 0x04;

const another = async ({ rig, name }: Scene): Promise<string> => (await pending(rig, deletion(`${name}, another`))).id;
async function edit({ rig, holder: { passkey } }: Scene, change: (passkey: JsonObject) => object): Promise<void> {
  const key = `passkey/${sha256(passkey.id)}`;
  const [found] = (await rig.app.store.look([key])).found;
  if (!found) throw new Error('no record');
  const { passkey: kept, mac } = found.value as { readonly passkey: JsonObject; readonly mac: string };
  const value = { passkey: JSON.parse(JSON.stringify(change(kept))) as JsonObject, mac };
  const claims = [{ key, version: found.version, value, else: 'state_conflict' }];
  await rig.app.store.commit({ at: rig.now(), notAfter: rig.now() + 60, claims, entries: [] });
}
const assertionOf = async ({ holder: { visit, passkey }, id }: Scene, wrong: Wrong = {}): Promise<{ response: Record<string, string> }> =>
  passkey.sign(await challengeOf(visit, id), wrong) as unknown as { response: Record<string, string> };
/** The assertion, changed after it was signed. */
const changing =
  (change: (response: Record<string, string>) => Record<string, string>) =>
  async (scene: Scene): Promise<Answer> => {
    const made = await assertionOf(scene);
    return cast(scene.holder.visit, scene.id, { ...made, response: change(made.response) });
  };

export const signatures: readonly PasskeyCase[] = [
  { name: 'what is right', run: signing({}) },
  { name: 'another origin', run: signing({ origin: 'https://evil.example' }), detail: 'proof_origin' },
  { name: 'another port of this host', run: signing({ origin: 'http://127.0.0.1:1' }), detail: 'proof_origin' },
  { name: 'in a frame of another site', run: signing({ crossOrigin: true }), detail: 'proof_origin' },
  { name: 'under another site', run: signing({ topOrigin: 'https://evil.example' }), detail: 'proof_origin' },
  { name: 'another relying party', run: signing({ rpId: 'evil.example' }), detail: 'proof_signature' },
  { name: 'nobody was verified', run: signing({ flags: UP }), detail: 'proof_unverified' },
  { name: 'verified, and not present', run: signing({ flags: UV }), detail: 'proof_unverified' },
  { name: 'neither', run: signing({ flags: 0 }), detail: 'proof_unverified' },
  { name: 'signed by another key', run: signing({ forged: true }), detail: 'proof_signature' },
  { name: 'a registration in its place', run: signing({ type: 'webauthn.create' }), detail: 'proof_malformed' },
  { name: 'a challenge of nobody', run: signing({ challenge: 'AAAA' }), detail: 'proof_challenge' },
  {
    name: 'the counter as it was',
    run: async (s) => {
      await signedVote(s.holder, await another(s), { counter: 7 });
      return signedVote(s.holder, s.id, { counter: 7 });
    },
    detail: 'proof_counter',
  },
  {
    name: 'the counter back',
    run: async (s) => {
      await signedVote(s.holder, await another(s), { counter: 7 });
      return signedVote(s.holder, s.id, { counter: 6 });
    },
    detail: 'proof_counter',
  },
  {
    name: 'a counter that counts no more',
    run: async (s) => {
      await signedVote(s.holder, await another(s), { counter: 7 });
      return signedVote(s.holder, s.id, { counter: 0 });
    },
    detail: 'proof_counter',
  },
  {
    name: 'verified only in what is sent',
    run: async (s) => {
      const made = await assertionOf(s, { flags: UP });
      const data = Buffer.from(made.response['authenticatorData'] ?? '', 'base64url');
      data[32] = UP | UV;
      const response = { ...made.response, authenticatorData: data.toString('base64url') };
      return cast(s.holder.visit, s.id, { ...made, response });
    },
    detail: 'proof_signature',
  },
  {
    name: 'a challenge changed in what is sent',
    run: async (s) => {
      const made = await assertionOf(s, { challenge: await challengeOf(s.holder.visit, await another(s)) });
      const said = JSON.parse(Buffer.from(made.response['clientDataJSON'] ?? '', 'base64url').toString()) as JsonObject;
      const changed = JSON.stringify({ ...said, challenge: await challengeOf(s.holder.visit, s.id) });
      return cast(s.holder.visit, s.id, {
        ...made,
        response: { ...made.response, clientDataJSON: Buffer.from(changed).toString('base64url') },
      });
    },
    detail: 'proof_signature',
  },
  {
    name: 'client data that says everything twice',
    run: changing((response) => {
      const said = Buffer.from(response['clientDataJSON'] ?? '', 'base64url').toString();
      return { ...response, clientDataJSON: Buffer.from(said.replace('{', '{"origin":"https://evil.example",')).toString('base64url') };
    }),
    detail: 'proof_malformed',
  },
  { name: 'no authenticator data', run: changing((response) => ({ ...response, authenticatorData: 'AAAA' })), detail: 'proof_malformed' },
  { name: 'a signature of nothing', run: changing((response) => ({ ...response, signature: 'AAAA' })), detail: 'proof_signature' },
  { name: 'an assertion that is none', run: changing(({ signature: _, ...rest }) => rest), status: 400 },
  { name: 'an assertion of 100 KB', run: changing((response) => ({ ...response, signature: 'A'.repeat(100_000) })), status: 400 },
];

/** The challenge of the same approval, had one member been another. */
async function altered({ holder: { visit }, id }: Scene, change: (signed: JsonObject, action: JsonObject) => JsonObject): Promise<string> {
  const signed = (await visit.post(`/operator/approvals/${id}/challenge`)).body['signed'] as JsonObject;
  return sha256(canonical(change(signed, signed['action'] as JsonObject)));
}
const MEMBERS: readonly (readonly [string, (signed: JsonObject, action: JsonObject) => JsonObject])[] = [
  ['another bundle', (signed) => ({ ...signed, bundle: '0'.repeat(64) })],
  ['another end', (signed) => ({ ...signed, expires: Number(signed['expires']) + 1 })],
  ['a confirmation', (signed) => ({ ...signed, vote: 'confirm' })],
  ['steps of a plan', (signed) => ({ ...signed, steps: [0] })],
  ['another agent', (signed, action) => ({ ...signed, action: { ...action, client: 'triage-bot' } })],
  ['another person', (signed, action) => ({ ...signed, action: { ...action, subject: 'people:u_dave' } })],
  ['another chain', (signed, action) => ({ ...signed, action: { ...action, actors: [] } })],
  ['another tool', (signed, action) => ({ ...signed, action: { ...action, tool: 'list_orders' } })],
  ['other arguments', (signed, action) => ({ ...signed, action: { ...action, arguments: EMPTY_DIGEST } })],
  ['another server', (signed, action) => ({ ...signed, action: { ...action, resource: 'https://elsewhere.example' } })],
];

export const places: readonly PasskeyCase[] = [
  {
    name: 'made for another approval',
    run: async (s) => {
      const elsewhere = await challengeOf(s.holder.visit, await another(s));
      return cast(s.holder.visit, s.id, s.holder.passkey.sign(elsewhere));
    },
    detail: 'proof_challenge',
  },
  {
    name: 'used for another approval, and sent once more',
    run: async (s) => {
      const other = await another(s);
      const made = s.holder.passkey.sign(await challengeOf(s.holder.visit, other));
      await cast(s.holder.visit, other, made);
      return cast(s.holder.visit, s.id, made);
    },
    detail: 'proof_challenge',
  },
  {
    name: 'sent once more after it counted',
    run: async (s) => {
      const made = await assertionOf(s);
      await cast(s.holder.visit, s.id, made);
      return cast(s.holder.visit, s.id, made);
    },
    status: 409,
    detail: 'decided',
  },
  ...MEMBERS.map(([name, change]) => ({
    name: `signed: ${name}`,
    run: async (s: Scene) => cast(s.holder.visit, s.id, s.holder.passkey.sign(await altered(s, change))),
    detail: 'proof_challenge',
  })),
  {
    name: 'another person’s passkey',
    run: async (s) => {
      const thief = await approver(s.rig, `u_thief_${s.id.slice(-8)}`);
      return cast(thief, s.id, await assertionOf(s));
    },
    detail: 'passkey_unknown',
  },
  {
    name: 'a passkey that nobody registered',
    run: async (s) => {
      const passkey = softPasskey({ origin: s.rig.issuer });
      return cast(s.holder.visit, s.id, passkey.sign(await challengeOf(s.holder.visit, s.id)));
    },
    detail: 'passkey_unknown',
  },
  {
    name: 'a stranger’s signature under a known name',
    run: async (s) => {
      const passkey = softPasskey({ origin: s.rig.issuer });
      return cast(s.holder.visit, s.id, passkey.sign(await challengeOf(s.holder.visit, s.id), { id: s.holder.passkey.id }));
    },
    detail: 'proof_signature',
  },
  {
    name: 'a passkey that was removed',
    run: async (s) => {
      const made = await assertionOf(s);
      await removePasskey(s.holder);
      return cast(s.holder.visit, s.id, made);
    },
    detail: 'passkey_unknown',
  },
  {
    name: 'a record given to another person in the store',
    run: async (s) => {
      const sub = `u_thief_${s.id.slice(-8)}`;
      const thief = await approver(s.rig, sub);
      const made = await assertionOf(s);
      await edit(s, (kept) => ({ ...kept, person: `people:${sub}` }));
      return cast(thief, s.id, made);
    },
    detail: 'passkey_unknown',
  },
  {
    name: 'a record whose key was put in its place in the store',
    run: async (s) => {
      const mine = softPasskey({ origin: s.rig.issuer });
      const made = mine.sign(await challengeOf(s.holder.visit, s.id), { id: s.holder.passkey.id });
      await edit(s, (kept) => ({ ...kept, publicKey: mine.publicKey }));
      return cast(s.holder.visit, s.id, made);
    },
    detail: 'passkey_unknown',
  },
  {
    name: 'a record put back as it was before it was used',
    run: async (s) => {
      const made = await assertionOf(s);
      await edit(s, (kept) => kept);
      return cast(s.holder.visit, s.id, made);
    },
    detail: 'passkey_unknown',
  },
  {
    name: 'signed by the person acted for',
    run: async (s) => {
      const carol = await holder(s.rig, 'u_carol');
      return cast(carol.visit, s.id, carol.passkey.sign('AAAA'));
    },
    detail: 'own_action',
  },
  {
    name: 'signed by somebody of no team',
    run: async (s) => {
      const visit = await approver(s.rig, `u_other_${s.id.slice(-8)}`, ['sales']);
      const passkey = softPasskey({ origin: s.rig.issuer });
      await register(visit, passkey);
      return cast(visit, s.id, passkey.sign('AAAA'));
    },
    detail: 'not_an_approver',
  },
];

/** What must not become a passkey. */
export const registrations: readonly (readonly [string, Wrong, string])[] = [
  ['another origin', { origin: 'https://evil.example' }, 'proof_origin'],
  ['in a frame of another site', { crossOrigin: true }, 'proof_origin'],
  ['another relying party', { rpId: 'evil.example' }, 'proof_malformed'],
  ['nobody was verified', { flags: UP }, 'proof_unverified'],
  ['an assertion in its place', { type: 'webauthn.get' }, 'proof_malformed'],
  ['a challenge of nobody', { challenge: 'AAAA' }, 'proof_challenge'],
];
