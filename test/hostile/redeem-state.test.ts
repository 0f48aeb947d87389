/** What was good when the token was made, and is not when it is redeemed: the present decides. */
import assert from 'node:assert/strict';
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { removePerson } from '../../scripts/demo/bundle.ts';
import { type AheadWorld, aheadWorld, claimsOf, editBundle, freshNonce, revoke } from '../flow/front-door.ts';
import { actionToken, NOTE, type Redeeming, redeem } from '../flow/redeeming.ts';
import { newKey } from '../support/keys.ts';
import type { Asking } from '../support/rig.ts';
import { settled } from './oracle.ts';
import { judgeRedeem, openRedeemGround, type RedeemCase, type RedeemGround } from './redeem-oracle.ts';

let ground: RedeemGround;
let world: AheadWorld;
before(async () => {
  world = aheadWorld();
  ground = await openRedeemGround({ world });
});
after(() => ground?.stop());

const fresh = async (asking: Asking = {}): Promise<string> => actionToken(ground.rig, { ...asking, nonce: await freshNonce(ground.rig) });
type Refused = Pick<RedeemCase, 'status' | 'error' | 'reason' | 'detail'>;
const judge = (name: string, redeeming: Redeeming, refused: Refused): Promise<unknown> =>
  judgeRedeem(ground, { name, redeeming: () => redeeming, ...refused });
const works = async (): Promise<void> =>
  assert.equal((await redeem(ground.rig, { token: await fresh() })).status, 200, 'the next one works');

const subjectBad = { status: 400, error: 'invalid_request', reason: 'subject_bad' } as const;
const suspended = { status: 403, error: 'access_denied', reason: 'suspended' } as const;
const AGENTS = 'agents.yaml';
const SHOP = 'servers/shop.yaml';

describe('after a reload of the bundle', () => {
  const bundle = (): string => join(ground.rig.folder, 'policies');
  const kept = (): string => join(ground.rig.folder, 'kept');
  async function reload(): Promise<void> {
    const report = await ground.rig.app.reload();
    assert.equal(report.ok, true, JSON.stringify(report.problems));
  }
  const suspend = (id: string) => () => editBundle(bundle(), AGENTS, new RegExp(`(?<=- id: ${id}\\n)`), '    suspended: true\n');
  const byTriage: Redeeming = { asking: { ...NOTE, actor: {} }, args: null };
  const rows: readonly (readonly [string, () => Promise<void>, Refused, Redeeming?])[] = [
    ['that suspends its agent', suspend('refund-bot'), suspended],
    ['that suspends its sub-agent', suspend('triage-bot'), suspended, byTriage],
    ['that suspends the agent behind its sub-agent', suspend('refund-bot'), suspended, byTriage],
    [
      'in which its agent’s owner has left',
      () => removePerson(bundle(), 'people:u_alice'),
      { status: 403, error: 'access_denied', reason: 'owner_missing' },
    ],
    [
      'that knows its agent no more',
      () => editBundle(bundle(), AGENTS, '- id: refund-bot\n', '- id: refund-bot-2\n'),
      { ...subjectBad, detail: 'actor_unknown' },
    ],
    [
      'that knows its tool no more',
      async () => {
        for (const name of ['more.cedar', 'triage.cedar']) await rm(join(bundle(), name));
        await editBundle(bundle(), SHOP, '\n  read_note:', '\n  read_notes:');
      },
      { status: 400, error: 'invalid_authorization_details', reason: 'tool_unknown' },
      { asking: NOTE, args: null },
    ],
    [
      'that registers no credential for it any more',
      () => editBundle(bundle(), SHOP, /\n {4}credentials: \{ toy: \{ role: refunds.*/, ''),
      { status: 403, error: 'access_denied', reason: 'mint_refused' },
    ],
    [
      'that gives it to the agent from now on',
      () => editBundle(bundle(), SHOP, 'role: refunds,', 'role: refunds, deliver: agent,'),
      { status: 403, error: 'access_denied', reason: 'mint_refused' },
    ],
    [
      'whose tool takes other arguments',
      () => editBundle(bundle(), SHOP, 'minimum: 1 }', 'minimum: 5000 }'),
      { status: 400, error: 'invalid_authorization_details', reason: 'arguments_bad', detail: 'minimum:amount_minor' },
    ],
    [
      'that moves its server',
      () => editBundle(bundle(), SHOP, 'http://127.0.0.1:9090/mcp', 'http://127.0.0.1:9092/mcp'),
      { status: 400, error: 'invalid_target', reason: 'resource_unknown' },
    ],
    [
      'that has another key for its server',
      async () => {
        const { publicJwk } = newKey();
        for (const name of ['x', 'y']) await editBundle(bundle(), SHOP, String(ground.rig.server.publicJwk[name]), String(publicJwk[name]));
      },
      { status: 401, error: 'invalid_client', reason: 'client_unauthenticated' },
    ],
  ];
  for (const [name, change, refused, redeeming = {}] of rows) {
    test(name, async () => {
      const token = await fresh(redeeming.asking);
      await cp(bundle(), kept(), { recursive: true });
      try {
        await change();
        await reload();
        await judge(name, { ...redeeming, token }, refused);
      } finally {
        await rm(bundle(), { recursive: true });
        await cp(kept(), bundle(), { recursive: true });
        await reload();
      }
      assert.equal((await redeem(ground.rig, { ...redeeming, token })).status, 200, 'put back, the same token works');
    });
  }
});

describe('while', () => {
  const halts = ['all', 'agent/refund-bot', 'subject/people:u_bob', 'server/shop'];
  for (const halt of halts) {
    test(`${halt} is halted`, async () => {
      const token = await fresh();
      const { store } = ground.rig.app;
      const key = `halt/${halt}`;
      const at = ground.rig.now();
      const set = (version: number, until: object) =>
        store.commit({ at, notAfter: at + 60, claims: [{ key, version, value: 1, ...until, else: 'taken' }], entries: [] });
      assert.equal(await set(0, {}), undefined);
      await judge(halt, { token }, suspended);
      assert.equal(await set(1, { until: at - 600 }), undefined);
    });
  }
  test('others go on', works);
});

describe('after', () => {
  test('its revocation', async () => {
    const token = await fresh();
    assert.equal((await revoke(ground.rig, token)).status, 200);
    await judge('revoked', { token }, subjectBad);
    await works();
  });
  test('its revocation, under a key that was never used', async () => {
    const token = await fresh();
    assert.equal((await revoke(ground.rig, token)).status, 200);
    await judge('revoked', { token, headers: { 'idempotency-key': 'k1' } }, subjectBad);
  });
  test('its redemption', async () => {
    const token = await fresh();
    assert.equal((await redeem(ground.rig, { token })).status, 200);
    await judge('redeemed', { token }, { status: 400, error: 'invalid_request', reason: 'token_redeemed' });
    const headers = { 'idempotency-key': 'k2' };
    await judge('redeemed, under a key', { token, headers }, { status: 400, error: 'invalid_request', reason: 'token_redeemed' });
  });
  test('its end, in the very second', async () => {
    const token = await fresh();
    world.ahead(Number(claimsOf(token)['exp']) - ground.rig.now() - 2);
    assert.equal((await redeem(ground.rig, { token })).status, 200, 'two seconds before');
    const late = await fresh();
    world.ahead(Number(claimsOf(late)['exp']) - ground.rig.now());
    await judge('expired', { token: late }, { ...subjectBad, detail: 'token_expired' });
    await works();
  });
  test('its end, with a redemption that was under way', async () => {
    const token = await fresh();
    assert.equal((await redeem(ground.rig, { token, headers: { 'idempotency-key': 'k3' } })).status, 200);
    world.ahead(61);
    await judge('expired', { token, headers: { 'idempotency-key': 'k3' } }, { ...subjectBad, detail: 'token_expired' });
  });
  test('then: the chain verifies, metrics name nobody, nobody else was asked', () => settled(ground));
});
