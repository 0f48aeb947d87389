/** What must not let a passkey come or go: each case has two people with a passkey each, and knows the exact answer and what is left. */
import assert from 'node:assert/strict';
import { canonical, sha256 } from '../../src/wire/digest.ts';
import type { JsonObject } from '../../src/wire/json.ts';
import { deletion, pending } from '../flow/approving.ts';
import type { AheadWorld } from '../flow/front-door.ts';
import { askedAct, challengeOf, type Holder, idOf, offerTo, registerMore, removePasskey } from '../flow/keyholders.ts';
import { type SoftPasskey, softPasskey, type Wrong } from '../support/passkey.ts';
import type { Answer, Rig } from '../support/rig.ts';

export interface ActScene {
  readonly rig: Rig;
  readonly world: AheadWorld;
  readonly own: Holder;
  readonly other: Holder;
  /** Not registered yet. */
  readonly more: SoftPasskey;
}
export interface ActCase {
  readonly name: string;
  readonly run: (scene: ActScene) => Promise<Answer>;
  /** Absent: it is done. */
  readonly detail?: string;
  readonly status?: number;
  /** How many this person has afterwards. */
  readonly left: number;
}
/** What a browser sends for a further one; `sign` makes the assertion from what the broker wants signed. */
async function adding(
  { own: { visit }, more }: ActScene,
  sign: (asked: { readonly challenge: string; readonly signed: JsonObject }) => object | undefined | Promise<object | undefined>,
  label = 'more',
): Promise<Answer> {
  const offer = await offerTo(visit);
  const response = more.register(offer);
  const assertion = await sign(await askedAct(visit, { act: 'register', credential: more.id, label: 'more', offer }));
  return visit.post('/operator/passkeys', { label, response, ...(assertion && { assertion }) });
}
async function removing(
  { own: { visit, passkey } }: ActScene,
  sign: (asked: { readonly challenge: string; readonly signed: JsonObject }) => object | undefined | Promise<object | undefined>,
): Promise<Answer> {
  const asked = await askedAct(visit, { act: 'remove', id: idOf(passkey) });
  const assertion = await sign(asked);
  return visit.post(`/operator/passkeys/${idOf(passkey)}/remove`, { offer: asked.signed['offer'], ...(assertion && { assertion }) });
}
const over = (signed: JsonObject): string => sha256(canonical(signed));
const nested = (signed: JsonObject, change: object): JsonObject => ({
  ...signed,
  passkey: { ...(signed['passkey'] as JsonObject), ...change },
});
/** Signed as it should be, had one member been another. */
const MEMBERS: readonly (readonly [string, (signed: JsonObject) => JsonObject])[] = [
  ['another act', (signed) => ({ ...signed, act: signed['act'] === 'remove' ? 'register' : 'remove' })],
  ['another person', (signed) => ({ ...signed, person: 'people:u_eve' })],
  ['another name', (signed) => nested(signed, { label: 'harmless' })],
  ['another passkey', (signed) => nested(signed, { credential: 'AAAA' })],
  ['another offer', (signed) => ({ ...signed, offer: 'AAAA' })],
  ['another end', (signed) => ({ ...signed, expires: Number(signed['expires']) + 1 })],
  ['another type', (signed) => ({ ...signed, type: 'urn:countersign:approval:v1' })],
];
const WRONGS: readonly (readonly [string, Wrong, string])[] = [
  ['another origin', { origin: 'https://evil.example' }, 'proof_origin'],
  ['nobody was verified', { flags: 0x01 }, 'proof_unverified'],
  ['signed by another key', { forged: true }, 'proof_signature'],
  ['a counter that counts no more', { counter: 0 }, 'proof_counter'],
];
/** Of a vote that waits for the same person's signature. */
const voteOf = async ({ rig, own: { visit }, more }: ActScene): Promise<string> =>
  challengeOf(visit, (await pending(rig, deletion(`act ${more.id}`))).id);

function both(title: string, left: number, act: typeof removing): readonly ActCase[] {
  return [
    { name: `${title}: not signed`, run: (s) => act(s, () => undefined), detail: 'proof_needed', left: 1 },
    { name: `${title}: signed`, run: (s) => act(s, ({ challenge }) => s.own.passkey.sign(challenge)), left },
    ...MEMBERS.map(([name, change]) => ({
      name: `${title}: signed for ${name}`,
      run: (s: ActScene) => act(s, ({ signed }) => s.own.passkey.sign(over(change(signed)))),
      detail: 'proof_challenge',
      left: 1,
    })),
    ...WRONGS.map(([name, wrong, detail]) => ({
      name: `${title}: ${name}`,
      async run(s: ActScene) {
        // It has counted before.
        await registerMore(s.own, s.more);
        await removePasskey(s.own, s.more);
        return act({ ...s, more: softPasskey({ origin: s.rig.issuer }) }, ({ challenge }) => s.own.passkey.sign(challenge, wrong));
      },
      detail,
      left: 1,
    })),
    {
      name: `${title}: a vote’s signature`,
      run: (s) => act(s, async () => s.own.passkey.sign(await voteOf(s))),
      detail: 'proof_challenge',
      left: 1,
    },
    {
      name: `${title}: signed by somebody else’s`,
      run: (s) => act(s, ({ challenge }) => s.other.passkey.sign(challenge)),
      detail: 'passkey_unknown',
      left: 1,
    },
    {
      name: `${title}: signed by somebody else’s under a known name`,
      run: (s) => act(s, ({ challenge }) => s.other.passkey.sign(challenge, { id: s.own.passkey.id })),
      detail: 'proof_signature',
      left: 1,
    },
    {
      name: `${title}: signed by the one that is being added`,
      run: (s) => act(s, ({ challenge }) => s.more.sign(challenge)),
      detail: 'passkey_unknown',
      left: 1,
    },
    {
      name: `${title}: too late`,
      run: (s) =>
        act(s, ({ challenge }) => {
          s.world.ahead(301);
          return s.own.passkey.sign(challenge);
        }),
      detail: 'proof_challenge',
      left: 1,
    },
    { name: `${title}: an assertion that is none`, run: (s) => act(s, () => ({ id: 'x' })), status: 400, left: 1 },
  ];
}

export const acts: readonly ActCase[] = [
  ...both('comes', 2, adding),
  ...both('goes', 0, removing),
  {
    name: 'comes under another name than was signed',
    run: (s) => adding(s, ({ challenge }) => s.own.passkey.sign(challenge), 'other'),
    detail: 'proof_challenge',
    left: 1,
  },
  {
    name: 'the signature of one that came lets no other come',
    async run(s) {
      let kept: object | undefined;
      const made = await adding(s, ({ challenge }) => (kept = s.own.passkey.sign(challenge)));
      assert.equal(made.status, 200, made.text);
      return adding({ ...s, more: softPasskey({ origin: s.rig.issuer }) }, () => kept);
    },
    detail: 'proof_challenge',
    left: 2,
  },
  {
    name: 'all of it sent once more',
    async run({ own: { visit, passkey }, more }) {
      const offer = await offerTo(visit);
      const { challenge } = await askedAct(visit, { act: 'register', credential: more.id, label: 'more', offer });
      const body = { label: 'more', response: more.register(offer), assertion: passkey.sign(challenge) };
      assert.equal((await visit.post('/operator/passkeys', body)).status, 200);
      return visit.post('/operator/passkeys', body);
    },
    status: 409,
    left: 2,
  },
  {
    name: 'one that went is signed for by itself once more',
    async run(s) {
      await registerMore(s.own, s.more);
      const again = softPasskey({ origin: s.rig.issuer });
      await removePasskey(s.own);
      return adding({ ...s, more: again }, ({ challenge }) => s.own.passkey.sign(challenge));
    },
    detail: 'passkey_unknown',
    left: 1,
  },
  {
    name: 'one offer for two that go',
    async run(s) {
      const { own, more } = s;
      await registerMore(own, more);
      const { challenge, signed } = await askedAct(own.visit, { act: 'remove', id: idOf(more) });
      const { offer } = signed as { readonly offer: string };
      const send = (of: SoftPasskey, assertion: object): Promise<Answer> =>
        own.visit.post(`/operator/passkeys/${idOf(of)}/remove`, { offer, assertion });
      assert.equal((await send(more, own.passkey.sign(challenge))).status, 200);
      const second = nested(signed, { credential: own.passkey.id, label: 'key ring' });
      return send(own.passkey, own.passkey.sign(over(second)));
    },
    status: 409,
    left: 1,
  },
  {
    name: 'somebody else’s goes',
    async run({ own, other }) {
      const { challenge, signed } = await askedAct(other.visit, { act: 'remove', id: idOf(other.passkey) });
      const body = { offer: signed['offer'], assertion: other.passkey.sign(challenge) };
      return own.visit.post(`/operator/passkeys/${idOf(other.passkey)}/remove`, body);
    },
    status: 404,
    left: 1,
  },
  {
    name: 'an offer of somebody else',
    async run({ own, other }) {
      const { signed } = await askedAct(other.visit, { act: 'remove', id: idOf(other.passkey) });
      const mine = nested({ ...signed, person: 'people:u_own' }, { credential: own.passkey.id });
      const body = { offer: signed['offer'], assertion: own.passkey.sign(over(mine)) };
      return own.visit.post(`/operator/passkeys/${idOf(own.passkey)}/remove`, body);
    },
    detail: 'proof_challenge',
    left: 1,
  },
  {
    name: 'their record is taken out of the store, so that the next one be the first',
    async run({ rig, own, more }) {
      const key = `passkey/${sha256(own.passkey.id)}`;
      await overwrite(rig, key);
      return own.visit.post('/operator/passkeys', { label: 'more', response: more.register(await offerTo(own.visit)) });
    },
    status: 409,
    detail: 'edited',
    left: 0,
  },
  {
    name: 'so is the count of them',
    async run(s) {
      const made = (await s.rig.entries()).find(({ context }) => context?.['credential'] === s.own.passkey.id);
      await overwrite(s.rig, `passkeys/${sha256(String(made?.by))}`);
      return adding(s, ({ challenge }) => s.own.passkey.sign(challenge));
    },
    status: 409,
    detail: 'edited',
    left: 1,
  },
];
async function overwrite(rig: Rig, key: string): Promise<void> {
  const [found] = (await rig.app.store.look([key])).found;
  assert.ok(found, key);
  const claims = [{ key, version: found.version, value: { count: 0 }, else: 'state_conflict' }];
  await rig.app.store.commit({ at: rig.now(), notAfter: rig.now() + 60, claims, entries: [] });
}
