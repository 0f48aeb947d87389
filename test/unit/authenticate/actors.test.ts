import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { toWire } from '../../../src/errors.ts';
import { sha256 } from '../../../src/wire/digest.ts';
import {
  actorToken,
  assertion,
  BROKER,
  bundle,
  HTU,
  JKT,
  keys,
  LIST,
  NOW,
  newDraft,
  openRoom,
  outcome,
  SUB_JKT,
  stranger,
} from './room.ts';

const room = await openRoom();
const deep = await openRoom({ maxActors: 5 });
const alone = await openRoom({ maxActors: 1 });
after(() => Promise.all([room, deep, alone].map((r) => r[Symbol.asyncDispose]())));
type Change = Parameters<typeof room.exchange>[0];
const ask = async (change: Change, at = room, draft = newDraft(), caller = at.caller) =>
  at.authenticate.asked(await at.exchange(change), caller, bundle, draft);
/** An act claim, outermost first. */
const act = (...ids: readonly string[]): object | undefined =>
  ids.reduceRight<object | undefined>((inner, sub) => ({ iss: BROKER, sub, ...(inner && { act: inner }) }), undefined);

test('a sub-agent: outermost, with its own key, bounded by its token, spent once', async () => {
  const draft = newDraft();
  const asked = await ask({ actorToken: await actorToken('lookup-bot', { jti: 'x1', exp: NOW + 30 }) }, room, draft);
  assert.ok(asked.ok);
  assert.deepEqual(
    asked.value.actors.map((a) => a.id),
    ['lookup-bot', 'refund-bot'],
  );
  assert.deepEqual([asked.value.jkt, asked.value.until, asked.value.caller.client.id], [SUB_JKT, NOW + 30, 'refund-bot']);
  assert.deepEqual(draft.spent, [
    { once: `actor/lookup-bot/${sha256('x1')}`, issued: NOW - 10, until: NOW + 40, otherwise: 'actor_replayed' },
  ]);
  assert.deepEqual([draft.facts.actors, draft.facts.jkt], [['lookup-bot', 'refund-bot'], SUB_JKT]);
});
test('the subject token still ends first where it does', async () => {
  const asked = await ask({
    actorToken: await actorToken('lookup-bot', { exp: NOW + 300 }),
    subjectToken: await room.idToken({ exp: NOW + 20 }),
  });
  assert.ok(asked.ok && asked.value.until === NOW + 20);
});
test('a base token for a sub-agent is bound to its key, though the client shows none', async () => {
  const { jkt: _, ...keyless } = room.caller;
  const asked = await ask({ ...LIST, actorToken: await actorToken('lookup-bot') }, room, newDraft(), keyless);
  assert.ok(asked.ok && asked.value.jkt === SUB_JKT);
});
test('the whole chain, outermost first', async () => {
  const request = {
    actorToken: await actorToken('lookup-bot', { act: act('third-bot') }),
    subjectToken: await deep.idToken({ act: act('fourth-bot') }),
  };
  const asked = await ask(request, deep);
  assert.ok(asked.ok);
  assert.deepEqual(
    asked.value.actors.map((a) => a.id),
    ['lookup-bot', 'third-bot', 'refund-bot', 'fourth-bot'],
  );
  const three = { ...request, actorToken: await actorToken('lookup-bot', { act: act('third-bot') }) };
  const subjectToken = await room.idToken({ act: act('fourth-bot') });
  assert.equal(outcome(await ask({ ...three, subjectToken })), 'subject_bad/actor_depth', 'one too many for three');
});

const TOKENS: readonly (readonly [string, () => Promise<string>, string])[] = [
  ['nonsense', async () => 'x', 'token_form'],
  ['an unknown agent', () => actorToken('lookup-bot', { iss: 'nobody', sub: 'nobody' }), 'actor_unknown'],
  ['a tool server', () => actorToken('shop'), 'actor_unknown'],
  ['a federated agent', () => actorToken('lookup-bot', { iss: 'ci-bot', sub: 'ci-bot' }), 'actor_federated'],
  [
    "the client's key",
    () => assertion('lookup-bot', { cnf: { jkt: SUB_JKT } }, { kid: keys['lookup-bot'].kid }, keys['refund-bot']),
    'token_signature',
  ],
  ['an unknown key', () => assertion('lookup-bot', { cnf: { jkt: SUB_JKT } }, {}, stranger), 'token_kid'],
  ['another agent as sub', () => actorToken('lookup-bot', { sub: 'third-bot' }), 'token_claim'],
  ['a person as sub', () => actorToken('lookup-bot', { sub: 'people:u_alice' }), 'token_claim'],
  ['the client as audience', () => actorToken('lookup-bot', { aud: 'refund-bot' }), 'token_audience'],
  ['the token endpoint as audience', () => actorToken('lookup-bot', { aud: HTU }), 'token_audience'],
  ['a life of 301 s', () => actorToken('lookup-bot', { exp: NOW + 301 }), 'token_lifetime'],
  ['expired', () => actorToken('lookup-bot', { iat: NOW - 60, exp: NOW - 1 }), 'token_expired'],
  ['no jti', () => actorToken('lookup-bot', { jti: undefined }), 'token_claim'],
  ['typ of a client assertion', () => actorToken('lookup-bot', {}, { typ: 'client-authentication+jwt' }), 'token_typ'],
  ['typ of an access token', () => actorToken('lookup-bot', {}, { typ: 'at+jwt' }), 'token_typ'],
  ['a client assertion', () => assertion('lookup-bot'), 'cnf_form'],
  ['cnf with a whole key', () => actorToken('lookup-bot', { cnf: { jwk: stranger.jwk } }), 'cnf_form'],
  ['cnf with two members', () => actorToken('lookup-bot', { cnf: { jkt: SUB_JKT, kid: 'x' } }), 'cnf_form'],
  ['a jkt of another form', () => actorToken('lookup-bot', { cnf: { jkt: 'short' } }), 'cnf_form'],
];
for (const [name, token, detail] of TOKENS) {
  test(`actor_bad/${detail}: ${name}; nothing is spent`, async () => {
    const draft = newDraft();
    const asked = await ask({ actorToken: await token() }, room, draft);
    assert.equal(outcome(asked), `actor_bad/${detail}`);
    assert.deepEqual(draft.spent, []);
    assert.equal(draft.facts.subject, 'people:u_alice');
    assert.deepEqual([toWire('actor_bad').status, toWire('actor_bad').error], [400, 'invalid_request']);
  });
}
test('keys of a sub-agent that cannot be reached are no verdict', async () => {
  const token = await actorToken('lookup-bot', { iss: 'dead-bot', sub: 'dead-bot' });
  assert.equal(outcome(await ask({ actorToken: token })), 'unavailable/keys_unavailable');
});

const CHAINS: readonly (readonly [string, () => Promise<Change>, string])[] = [
  ['the client as its own sub-agent', async () => ({ actorToken: await actorToken('refund-bot') }), 'actor_bad/actor_twice'],
  ['itself nested', async () => ({ actorToken: await actorToken('lookup-bot', { act: act('lookup-bot') }) }), 'actor_bad/actor_twice'],
  ['the client nested', async () => ({ actorToken: await actorToken('lookup-bot', { act: act('refund-bot') }) }), 'actor_bad/actor_twice'],
  [
    'the client in the subject token',
    async () => ({ subjectToken: await deep.idToken({ act: act('refund-bot') }) }),
    'subject_bad/actor_twice',
  ],
  ['a suspended sub-agent', async () => ({ actorToken: await actorToken('suspended-bot') }), 'suspended'],
  ['an ownerless sub-agent', async () => ({ actorToken: await actorToken('orphan-bot') }), 'owner_missing'],
  ['a suspended agent nested', async () => ({ actorToken: await actorToken('lookup-bot', { act: act('suspended-bot') }) }), 'suspended'],
  [
    'an ownerless agent behind the subject',
    async () => ({ subjectToken: await deep.idToken({ act: act('orphan-bot') }) }),
    'owner_missing',
  ],
  [
    'an unknown agent nested',
    async () => ({ actorToken: await actorToken('lookup-bot', { act: act('nobody') }) }),
    'actor_bad/actor_unknown',
  ],
  [
    'an unknown agent behind the subject',
    async () => ({ subjectToken: await deep.idToken({ act: act('nobody') }) }),
    'subject_bad/actor_unknown',
  ],
  [
    'an agent of ours named by another issuer',
    async () => ({ subjectToken: await deep.idToken({ act: { iss: 'https://evil.example', sub: 'lookup-bot' } }) }),
    'subject_bad/actor_unknown',
  ],
  ['act without iss', async () => ({ subjectToken: await deep.idToken({ act: { sub: 'lookup-bot' } }) }), 'subject_bad/act_form'],
  ['act null', async () => ({ subjectToken: await deep.idToken({ act: null }) }), 'subject_bad/act_form'],
  ['act a list', async () => ({ actorToken: await actorToken('lookup-bot', { act: [act('third-bot')] }) }), 'actor_bad/act_form'],
  ['act text', async () => ({ actorToken: await actorToken('lookup-bot', { act: 'third-bot' }) }), 'actor_bad/act_form'],
];
for (const [name, change, answer] of CHAINS) {
  test(`${answer}: ${name}`, async () => assert.equal(outcome(await ask(await change(), deep)), answer));
}
test('the depth is capped: every agent counts, the client too', async () => {
  const ids = ['third-bot', 'fourth-bot', 'twin', 'nobody', 'nobody'];
  assert.equal(outcome(await ask({ actorToken: await actorToken('lookup-bot', { act: act('third-bot') }) })), 'ok');
  assert.equal(
    outcome(await ask({ actorToken: await actorToken('lookup-bot', { act: act('third-bot', 'fourth-bot', 'twin') }) })),
    'actor_bad/actor_depth',
  );
  assert.equal(
    outcome(await ask({ actorToken: await actorToken('lookup-bot', { act: act('third-bot', 'fourth-bot') }) })),
    'actor_bad/actor_depth',
  );
  assert.equal(outcome(await ask({ actorToken: await actorToken('lookup-bot', { act: act(...ids) }) }, deep)), 'actor_bad/actor_unknown');
  assert.equal(outcome(await ask({}, alone)), 'ok');
  assert.equal(outcome(await ask({ actorToken: await actorToken('lookup-bot') }, alone)), 'actor_bad/actor_depth');
});

const GATES: readonly (readonly [string, unknown, boolean, string])[] = [
  ['the client', { iss: BROKER, sub: 'refund-bot' }, false, 'ok'],
  ['the sub-agent', { iss: BROKER, sub: 'lookup-bot' }, true, 'ok'],
  ['the client, where a sub-agent acts', { iss: BROKER, sub: 'refund-bot' }, true, 'may_act_mismatch'],
  ['the sub-agent, where the client acts', { iss: BROKER, sub: 'lookup-bot' }, false, 'may_act_mismatch'],
  ['another issuer', { iss: 'https://evil.example', sub: 'refund-bot' }, false, 'may_act_mismatch'],
  ['sub alone', { sub: 'refund-bot' }, false, 'may_act_mismatch'],
  ['iss alone', { iss: BROKER }, false, 'may_act_mismatch'],
  ['nobody', {}, false, 'may_act_mismatch'],
  ['null', null, false, 'may_act_mismatch'],
  ['text', 'refund-bot', false, 'may_act_mismatch'],
  ['a list', [{ iss: BROKER, sub: 'refund-bot' }], false, 'may_act_mismatch'],
  ['a sub that is a list', { iss: BROKER, sub: ['refund-bot'] }, false, 'may_act_mismatch'],
];
for (const [name, mayAct, delegated, answer] of GATES) {
  test(`${answer}: may_act names ${name}`, async () => {
    const subjectToken = await room.idToken({ may_act: mayAct });
    const asked = await ask({ subjectToken, ...(delegated && { actorToken: await actorToken('lookup-bot') }) });
    assert.equal(outcome(asked), answer);
  });
}
test('with a sub-agent the subject token is bound to the key of the client that shows it', async () => {
  const own = await ask({ actorToken: await actorToken('lookup-bot'), subjectToken: await room.idToken({ cnf: { jkt: JKT } }) });
  assert.equal(outcome(own), 'ok');
  const others = await ask({ actorToken: await actorToken('lookup-bot'), subjectToken: await room.idToken({ cnf: { jkt: SUB_JKT } }) });
  assert.equal(outcome(others), 'subject_binding/cnf_unproven');
});
