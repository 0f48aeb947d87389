import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { nonces } from '../../../src/authenticate/nonce.ts';
import { toWire } from '../../../src/errors.ts';
import type { Presented } from '../../../src/request.ts';
import { sha256 } from '../../../src/wire/digest.ts';
import { sign } from '../../support/idp.ts';
import {
  actorToken,
  assertion,
  BROKER,
  bundle,
  CI,
  clock,
  freshNonce,
  HTU,
  held,
  JKT,
  keys,
  MAC,
  memory,
  NOW,
  newDraft,
  openRoom,
  outcome,
  presented,
  proof,
  SHOP,
  stranger,
} from './room.ts';

const room = await openRoom();
after(() => room[Symbol.asyncDispose]());
const { authenticate } = room;
const caller = async (request: Presented): Promise<string> => outcome(await authenticate.caller(request, bundle, newDraft()));

test('an agent with assertion and proof: who it is, what is spent, what is noted', async () => {
  const draft = newDraft();
  const request = await presented('refund-bot', {
    clientId: 'refund-bot',
    assertion: await assertion('refund-bot', { jti: 'a1' }),
    proof: await proof({ jti: 'p1' }),
  });
  const found = await authenticate.caller(request, bundle, draft);
  assert.ok(found.ok);
  assert.equal(found.value.client.id, 'refund-bot');
  assert.equal(found.value.jkt, JKT);
  assert.deepEqual(draft.facts, { client: 'refund-bot', owner: 'people:u_owner', jkt: JKT });
  assert.deepEqual(draft.spent, [
    { once: `assertion/refund-bot/${sha256('a1')}`, issued: NOW - 10, until: NOW + 60 + 10, otherwise: 'assertion_replayed' },
    { once: `proof/${JKT}/${sha256('p1')}`, issued: NOW - 60, until: NOW + 130, otherwise: 'proof_replayed' },
  ]);
});
test('without a proof the caller holds no key', async () => {
  const { proof: _, ...bare } = await presented();
  const found = await authenticate.caller(bare, bundle, newDraft());
  assert.ok(found.ok && !('jkt' in found.value));
});
for (const header of [{ typ: undefined }, { typ: 'JWT' }, { typ: 'client-authentication+jwt' }]) {
  test(`an assertion of typ ${header.typ}`, async () => {
    assert.equal(await caller(await presented('refund-bot', { assertion: await assertion('refund-bot', {}, header) })), 'ok');
  });
}

const UNAUTHENTICATED: readonly (readonly [string, () => Promise<string | undefined>, string])[] = [
  ['no assertion', async () => undefined, 'client_unauthenticated/assertion_absent'],
  ['nonsense', async () => 'x', 'client_unauthenticated/token_form'],
  ['an unknown client', () => assertion('refund-bot', { iss: 'nobody', sub: 'nobody' }), 'client_unknown'],
  ['a server without identity', () => assertion('refund-bot', { iss: 'bank', sub: 'bank' }), 'client_unknown'],
  ['the id of an agent and a tool server', () => assertion('twin'), 'client_unknown/client_ambiguous'],
  ['iss a list', () => assertion('refund-bot', { iss: ['refund-bot'] }), 'client_unauthenticated/token_issuer'],
  ['another agent', () => assertion('refund-bot', { sub: 'lookup-bot' }), 'client_unauthenticated/token_claim'],
  [
    "another agent's key",
    () => assertion('refund-bot', {}, { kid: keys['refund-bot'].kid }, keys['lookup-bot']),
    'client_unauthenticated/token_signature',
  ],
  ['an unknown key', () => assertion('refund-bot', {}, {}, stranger), 'client_unauthenticated/token_kid'],
  ['the token endpoint as audience', () => assertion('refund-bot', { aud: HTU }), 'client_unauthenticated/token_audience'],
  ['two audiences', () => assertion('refund-bot', { aud: [BROKER, HTU] }), 'client_unauthenticated/token_audience'],
  ['the resource as audience', () => assertion('refund-bot', { aud: SHOP }), 'client_unauthenticated/token_audience'],
  ['no jti', () => assertion('refund-bot', { jti: undefined }), 'client_unauthenticated/token_claim'],
  ['no exp', () => assertion('refund-bot', { exp: undefined }), 'client_unauthenticated/token_claim'],
  ['a life of 301 s', () => assertion('refund-bot', { exp: NOW + 301 }), 'client_unauthenticated/token_lifetime'],
  ['expired', () => assertion('refund-bot', { iat: NOW - 60, exp: NOW }), 'client_unauthenticated/token_expired'],
  ['from the future', () => assertion('refund-bot', { iat: NOW + 11 }), 'client_unauthenticated/token_early'],
  ['typ of an access token', () => assertion('refund-bot', {}, { typ: 'at+jwt' }), 'client_unauthenticated/token_typ'],
  ['typ of a receipt', () => assertion('refund-bot', {}, { typ: 'countersign-receipt+jwt' }), 'client_unauthenticated/token_typ'],
  ['an actor token', () => actorToken('refund-bot'), 'client_unauthenticated/assertion_is_actor'],
  ['an assertion with act', () => assertion('refund-bot', { act: { sub: 'x' } }), 'client_unauthenticated/assertion_is_actor'],
  [
    'a federated agent that signs itself',
    () => assertion('refund-bot', { iss: 'ci-bot', sub: 'ci-bot' }),
    'client_unauthenticated/client_federated',
  ],
  ['the broker itself', () => assertion('refund-bot', { iss: BROKER, sub: BROKER }), 'client_unknown'],
  ['an id token', () => room.idToken(), 'client_unauthenticated/issuer_vouches'],
];
for (const [name, token, answer] of UNAUTHENTICATED) {
  test(`${answer}: ${name}; nothing is spent, nobody is noted`, async () => {
    const { assertion: _, ...rest } = await presented();
    const shown = await token();
    const draft = newDraft();
    const found = await authenticate.caller({ ...rest, ...(shown !== undefined && { assertion: shown }) }, bundle, draft);
    assert.equal(outcome(found), answer);
    assert.deepEqual([draft.spent, draft.facts], [[], {}]);
    assert.ok(!found.ok);
    assert.deepEqual(toWire(found.error.reason), toWire('client_unauthenticated'), 'all alike to the caller');
  });
}
test('client_id must be the one who signed', async () => {
  assert.equal(await caller(await presented('refund-bot', { clientId: 'lookup-bot' })), 'client_unauthenticated/client_id');
});
test('a key source that cannot be reached is no verdict', async () => {
  const shown = await assertion('refund-bot', { iss: 'dead-bot', sub: 'dead-bot' });
  assert.equal(await caller(await presented('refund-bot', { assertion: shown })), 'unavailable/keys_unavailable');
});
test('suspended and ownerless agents are refused once they are known, and their assertion is spent', async () => {
  for (const [by, answer] of [
    ['suspended-bot', 'client_suspended'],
    ['orphan-bot', 'owner_missing'],
  ] as const) {
    const draft = newDraft();
    assert.equal(outcome(await authenticate.caller(await presented(by), bundle, draft)), answer);
    assert.equal(draft.facts.client, by);
    assert.equal(draft.spent.length, 2);
    assert.match(
      outcome(await authenticate.caller(await presented(by, { assertion: await assertion(by, { exp: NOW }) }), bundle, newDraft())),
      /^client_unauth/,
    );
  }
});

const PROOFS: readonly (readonly [string, () => Promise<string>, string])[] = [
  ['no nonce', () => proof({ nonce: undefined }), 'nonce_needed'],
  ['a stale nonce', () => proof({ nonce: nonces({ mac: MAC('nonce') }).current(NOW - 240) }), 'nonce_needed'],
  ['a nonce of ours for another purpose', () => proof({ nonce: nonces({ mac: MAC('retry') }).current(NOW) }), 'nonce_needed'],
  ['another method', () => proof({ htm: 'GET' }), 'proof_bad/proof_htm'],
  ['another endpoint', () => proof({ htu: `${BROKER}/introspect` }), 'proof_bad/proof_htu'],
  ['old', () => proof({ iat: NOW - 61 }), 'proof_bad/proof_iat'],
  ['nonsense', async () => 'x.y.z', 'proof_bad/proof_form'],
  ['two proofs joined', async () => `${await proof()}, ${await proof()}`, 'proof_bad/proof_form'],
  ['an assertion', () => assertion('refund-bot'), 'proof_bad/proof_form'],
];
for (const [name, make, answer] of PROOFS) {
  test(`${answer}: a proof with ${name}; the assertion is spent, the proof is not`, async () => {
    const draft = newDraft();
    assert.equal(outcome(await authenticate.caller(await presented('refund-bot', { proof: await make() }), bundle, draft)), answer);
    assert.deepEqual(
      draft.spent.map((s) => s.otherwise),
      ['assertion_replayed'],
    );
    assert.deepEqual(draft.facts, { client: 'refund-bot', owner: 'people:u_owner' });
  });
}

test('a tool server authenticates for client(), and gets no token', async () => {
  const { proof: _, ...bare } = await presented('shop');
  const found = await authenticate.client(bare, bundle, newDraft());
  assert.ok(found.ok && found.value.kind === 'tool-server' && found.value.id === 'shop');
  const draft = newDraft();
  assert.equal(outcome(await authenticate.caller(await presented('shop'), bundle, draft)), 'grant_refused/client_is_server');
  assert.equal(draft.facts.client, 'shop');
});
test('an agent authenticates for client() too; a proof it shows must hold', async () => {
  assert.equal(outcome(await authenticate.client(await presented(), bundle, newDraft())), 'ok');
  assert.equal(
    outcome(await authenticate.client(await presented('refund-bot', { proof: 'x' }), bundle, newDraft())),
    'proof_bad/proof_form',
  );
});

test('a workload token may return with the key it first came with; its mark says which', async () => {
  const token = await room.workload();
  const mark = `workload/${sha256(token.slice(0, token.lastIndexOf('.')))}`;
  for (const [shown, bound] of [
    [{ proof: await proof() }, { bound: JKT }],
    [{}, {}],
  ] as const) {
    const draft = newDraft();
    const found = await authenticate.caller({ htm: 'POST', htu: HTU, assertion: token, ...shown }, bundle, draft);
    assert.ok(found.ok && found.value.client.id === 'ci-bot');
    assert.deepEqual(draft.spent[0], { once: mark, issued: NOW - 20, until: NOW + 610, otherwise: 'assertion_replayed', ...bound });
  }
});
test('a workload token is not burnt for a stale nonce', async () => {
  const draft = newDraft();
  const request = { htm: 'POST', htu: HTU, assertion: await room.workload(), proof: await proof({ nonce: 'old' }) };
  assert.equal(outcome(await authenticate.caller(request, bundle, draft)), 'nonce_needed');
  assert.deepEqual(draft.spent, []);
});
test('a workload token bound to a key says what the proof lacks, and needs that key', async () => {
  const bound = await room.workload({ cnf: { jkt: JKT } });
  const show = async (more: Partial<Presented>): Promise<string> => caller({ htm: 'POST', htu: HTU, assertion: bound, ...more });
  assert.equal(await show({ proof: await proof() }), 'ok');
  assert.equal(await show({ proof: await proof({ nonce: 'old' }) }), 'nonce_needed');
  assert.equal(await show({ proof: await proof({}, stranger) }), 'client_unauthenticated/cnf_unproven');
  assert.equal(await show({}), 'client_unauthenticated/cnf_unproven');
});
const WORKLOADS: readonly (readonly [string, () => Promise<string>, string])[] = [
  ['a subject that nobody pinned', () => room.workload({ sub: 'repo:evil' }), 'client_unknown'],
  ['a subject of an agent and a tool server', () => room.workload({ sub: 'repo:torn' }), 'client_unknown/client_ambiguous'],
  ['another audience', () => room.workload({ aud: 'https://vault.example' }), 'client_unauthenticated/token_audience'],
  ['typ of an access token', () => room.workload({}, { typ: 'at+jwt' }), 'client_unauthenticated/token_typ'],
  ['an act claim', () => room.workload({ act: { sub: 'x' } }), 'client_unauthenticated/assertion_is_actor'],
  [
    'another signer',
    () => sign(held, { iss: CI, sub: 'repo:shop', aud: BROKER, iat: NOW, exp: NOW + 60 }),
    'client_unauthenticated/token_kid',
  ],
  ['an issuer that vouches for people alone', () => room.idToken({ aud: BROKER }), 'client_unauthenticated/issuer_vouches'],
];
for (const [name, token, answer] of WORKLOADS) {
  test(`${answer}: a workload token with ${name}`, async () => {
    clock.at += 60; // past the cooldown of unknown keys
    assert.equal(await caller({ htm: 'POST', htu: HTU, assertion: await token(), proof: await proof() }), answer);
  });
}
test('client_id beside a workload token must be its agent; a pinned tool server is no agent', async () => {
  const shown = { htm: 'POST', htu: HTU, assertion: await room.workload() };
  assert.equal(await caller({ ...shown, clientId: 'ci-bot' }), 'ok');
  assert.equal(await caller({ ...shown, clientId: 'refund-bot' }), 'client_unauthenticated/client_id');
  const runner = { ...shown, assertion: await room.workload({ sub: 'repo:runner' }) };
  assert.equal(await caller(runner), 'grant_refused/client_is_server');
  assert.equal(outcome(await authenticate.client(runner, bundle, newDraft())), 'ok');
});
test('an issuer of workloads that cannot be reached is no verdict', async () => {
  await using fresh = await openRoom();
  fresh.ci.answers['/ci/jwks'] = { status: 500 };
  const request = { htm: 'POST', htu: HTU, assertion: await fresh.workload() };
  assert.equal(outcome(await fresh.authenticate.caller(request, bundle, newDraft())), 'issuer_unavailable/keys_unavailable');
});

test('what names our nonce was signed after that was given, whatever its clock says; to name none, or another, is no fault', async () => {
  const before = freshNonce();
  memory.since = NOW - 3;
  for (const [claims, issued] of [
    [{}, NOW - 10],
    [{ nonce: freshNonce() }, NOW - 3],
    [{ nonce: freshNonce(), iat: NOW + 9 }, NOW - 1],
    [{ nonce: before }, NOW - 10],
    [{ nonce: [freshNonce()] }, NOW - 10],
    [{ nonce: '' }, NOW - 10],
  ] as const) {
    const draft = newDraft();
    const shown = await presented('refund-bot', { assertion: await assertion('refund-bot', claims) });
    assert.equal(outcome(await authenticate.caller(shown, bundle, draft)), 'ok');
    assert.deepEqual(
      draft.spent.map((spent) => spent.issued),
      [issued, NOW - 3],
    );
  }
  memory.since = 0;
});

test('a nonce lives between one step and two, and only under its own key', () => {
  const of = nonces({ mac: MAC('nonce'), stepSeconds: 100 });
  const nonce = of.current(1_000);
  for (const [now, fresh] of [
    [1_000, true],
    [1_099, true],
    [1_100, true],
    [1_199, true],
    [1_200, false],
    [999, false],
    [100_000, false],
  ] as const) {
    assert.equal(of.fresh(nonce, now), fresh, String(now));
  }
  for (const bad of [undefined, '', `${nonce}x`, nonce.slice(1), nonces({ mac: MAC('other'), stepSeconds: 100 }).current(1_000)]) {
    assert.equal(of.fresh(bad, 1_000), false);
  }
});
