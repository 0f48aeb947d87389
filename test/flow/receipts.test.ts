/** What really happened (wire.md §7): one receipt an action, by the tool server of its token, and every game that is tried with it. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import type { Entry } from '../../src/model.ts';
import { jwt, sha256, type TestKey } from '../support/keys.ts';
import { type Answer, type Asking, answerOf, REFUND, RESOURCE, type Rig, startRig } from '../support/rig.ts';
import { type AheadWorld, addSecondServer, aheadWorld, claimsOf, freshNonce, tokenOf, told } from './front-door.ts';

let rig: Rig;
let world: AheadWorld;
let billing: TestKey;
before(async () => {
  world = aheadWorld();
  rig = await startRig({
    world,
    bundle: async (folder) => {
      billing = await addSecondServer(folder);
    },
  });
});
after(() => rig.stop());

/** The rig's own nonce, until the clock has left it behind. */
let nonce: Pick<Asking, 'nonce'> = {};
const granted = async (): Promise<string> => tokenOf(await rig.ask(nonce));
const said = (answer: Answer): readonly unknown[] => [answer.status, answer.body['error']];

describe('/receipts', () => {
  const send = async (text: string, type = 'application/jwt'): Promise<Answer> =>
    answerOf(await fetch(`${rig.issuer}/receipts`, { method: 'POST', headers: { 'content-type': type }, body: text }));
  interface Change {
    readonly key?: TestKey;
    readonly header?: object;
    readonly claims?: object;
  }
  async function receipt(token: string, change: Change = {}): Promise<string> {
    const { txn, jti } = claimsOf(token);
    const at = rig.now();
    const { key = rig.server } = change;
    const header = { alg: 'ES256', typ: 'countersign-receipt+jwt', ...change.header };
    const claims = { iss: 'shop', sub: 'shop', aud: rig.issuer, iat: at, exp: at + 300, jti: randomUUID(), txn, token_jti: jti };
    return jwt(key, header, { ...claims, outcome: 'done', amounts: { amount_minor: 4250 }, proof: 'a.b.c', ...change.claims });
  }

  it('is recorded beside the grant it ends: the first one wins', async () => {
    const token = await granted();
    const seq = await rig.count();
    const first = await send(await receipt(token));
    assert.deepEqual([first.status, first.text, first.headers.get('cache-control')], [204, '', 'no-store']);
    assert.deepEqual(said(await send(await receipt(token, { claims: { outcome: 'not_run' } }))), [409, 'receipt_exists']);
    const [entry, second] = await rig.entries(seq);
    const minted = (await rig.entries(seq - 1))[0];
    const { txn, jti } = claimsOf(token);
    assert.deepEqual(
      [entry?.kind, entry?.client, entry?.resource, entry?.outcome, entry?.recorded, entry?.txn, entry?.jti],
      ['receipt', 'shop', RESOURCE, 'done', { amount_minor: 4250 }, txn, jti],
    );
    const story: readonly (keyof Entry)[] = ['owner', 'subject', 'actors', 'tool', 'arguments', 'txn', 'jti'];
    for (const name of story) assert.deepEqual(entry?.[name], minted?.[name]);
    assert.equal(entry?.proof, sha256('a.b.c'), 'of the proof a digest alone');
    assert.deepEqual([second?.kind, second?.reason, second?.txn, second?.outcome], ['refused', 'receipt_replayed', txn, undefined]);
  });

  it('twenty at once: one is it', async () => {
    const token = await granted();
    const seq = await rig.count();
    const all = await Promise.all(Array.from({ length: 20 }, async () => (await send(await receipt(token))).status));
    assert.deepEqual(all.sort(), [204, ...Array.from({ length: 19 }, () => 409)]);
    const kinds = (await told(rig, seq, 'kind')).flat();
    assert.deepEqual([kinds.filter((k) => k === 'receipt').length, kinds.filter((k) => k === 'refused').length], [1, 19]);
  });

  it('may come long after the token has ended, and for every outcome there is', async () => {
    for (const outcome of ['done', 'failed', 'not_run']) {
      const token = await granted();
      const seq = await rig.count();
      if (outcome === 'failed') world.ahead(3600);
      assert.equal((await send(await receipt(token, { claims: { outcome, amounts: undefined } }))).status, 204);
      assert.deepEqual(await told(rig, seq, 'kind', 'outcome', 'recorded'), [['receipt', outcome, undefined]]);
      nonce = { nonce: await freshNonce(rig) };
    }
  });

  const bad = { status: 400, error: 'invalid_request', reason: 'receipt_bad' } as const;
  const unknown = { status: 401, error: 'invalid_client', reason: 'client_unauthenticated' } as const;
  const cases: readonly {
    readonly name: string;
    readonly change: () => Change;
    readonly status: number;
    readonly error: string;
    readonly reason: string;
    readonly detail?: string;
  }[] = [
    {
      name: 'another server’s, for a token that was not for it',
      change: () => ({ key: billing, claims: { iss: 'billing' } }),
      ...bad,
      detail: 'txn',
    },
    { name: 'another server’s key under this name', change: () => ({ key: billing }), ...bad, detail: 'token_signature' },
    { name: 'the agent’s own word', change: () => ({ key: rig.agent, claims: { iss: 'refund-bot' } }), ...unknown },
    { name: 'nobody’s', change: () => ({ claims: { iss: 'ghost' } }), ...unknown },
    { name: 'no issuer', change: () => ({ claims: { iss: undefined } }), ...unknown },
    { name: 'typ JWT', change: () => ({ header: { typ: 'JWT' } }), ...bad, detail: 'token_typ' },
    { name: 'typ of an access token', change: () => ({ header: { typ: 'at+jwt' } }), ...bad, detail: 'token_typ' },
    { name: 'no typ', change: () => ({ header: { typ: undefined } }), ...bad, detail: 'token_typ' },
    { name: 'for another audience', change: () => ({ claims: { aud: RESOURCE } }), ...bad, detail: 'token_audience' },
    { name: 'for two audiences', change: () => ({ claims: { aud: [rig.issuer, RESOURCE] } }), ...bad, detail: 'token_audience' },
    { name: 'without jti', change: () => ({ claims: { jti: undefined } }), ...bad, detail: 'token_claim' },
    { name: 'without exp', change: () => ({ claims: { exp: undefined } }), ...bad, detail: 'token_claim' },
    { name: 'ended', change: () => ({ claims: { iat: rig.now() - 400, exp: rig.now() - 100 } }), ...bad, detail: 'token_expired' },
    { name: 'a year of life', change: () => ({ claims: { exp: rig.now() + 31e6 } }), ...bad, detail: 'token_lifetime' },
    { name: 'a txn of nobody', change: () => ({ claims: { txn: `txn_${'0'.repeat(32)}` } }), ...bad, detail: 'txn' },
    { name: 'a txn that is a number', change: () => ({ claims: { txn: 7 } }), ...bad, detail: 'token_claim' },
    { name: 'the jti in place of the txn', change: () => ({ claims: { txn: undefined } }), ...bad, detail: 'token_claim' },
    { name: 'no outcome', change: () => ({ claims: { outcome: undefined } }), ...bad, detail: 'outcome' },
    { name: 'an outcome nobody knows', change: () => ({ claims: { outcome: 'maybe' } }), ...bad, detail: 'outcome' },
    { name: 'an outcome in a list', change: () => ({ claims: { outcome: ['done'] } }), ...bad, detail: 'outcome' },
    { name: 'an outcome in capitals', change: () => ({ claims: { outcome: 'DONE' } }), ...bad, detail: 'outcome' },
    {
      name: 'an outcome that is an object with toString',
      change: () => ({ claims: { outcome: { toString: 'done' } } }),
      ...bad,
      detail: 'outcome',
    },
  ];
  it('games are refused and recorded, and the true receipt is still the first', async () => {
    for (const { name, change, status, error, reason, detail } of cases) {
      const token = await granted();
      const seq = await rig.count();
      assert.deepEqual(said(await send(await receipt(token, change()))), [status, error], name);
      assert.deepEqual(
        await told(rig, seq, 'kind', 'request', 'reason', 'detail', 'outcome'),
        [['refused', 'receipt', reason, detail, undefined]],
        name,
      );
      assert.equal((await send(await receipt(token))).status, 204, name);
    }
  });

  it('another story’s ids open nothing: a jti, a decision, the txn of a refusal', async () => {
    const token = await granted();
    const root = String(claimsOf(token)['jti']).slice(4);
    const no = String((await rig.ask({ args: { ...REFUND, amount_minor: 9000 } })).body['decision_id']);
    for (const txn of [`tok_${root}`, `exc_${root}`, root, no, no.replace('exc_', 'txn_')]) {
      assert.deepEqual(said(await send(await receipt(token, { claims: { txn } }))), [400, 'invalid_request'], txn);
    }
  });

  it('amounts that are no numbers are left out, and no text comes in by that way', async () => {
    const token = await granted();
    const seq = await rig.count();
    const amounts = { amount_minor: 17, note: 'a long story', nested: { amount: 1 }, list: [1] };
    assert.equal((await send(await receipt(token, { claims: { amounts } }))).status, 204);
    assert.deepEqual(await told(rig, seq, 'recorded'), [[{ amount_minor: 17 }]]);
  });

  it('is one media type and one strict form', async () => {
    const token = await granted();
    const whole = await receipt(token);
    assert.equal((await send(whole, 'text/plain')).status, 415);
    assert.equal((await send(JSON.stringify({ receipt: whole }), 'application/json')).status, 415);
    for (const text of [`${whole}=`, `${whole}\n`, '', 'x', '{"txn":1}']) assert.equal((await send(text)).status >= 400, true, text);
    assert.equal((await send(whole)).status, 204);
  });
});
