/** An action that a tool server brings (wire.md §6): tokens that only the broker's own key could sign, and what must still be refused of them. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import type { Authenticator } from '../../../src/authenticate/authenticate.ts';
import type { Registration, ToolServer } from '../../../src/model.ts';
import type { RedeemRequest } from '../../../src/request.ts';
import { formatDetails } from '../../../src/wire/details.ts';
import { digest, sha256 } from '../../../src/wire/digest.ts';
import type { JsonObject } from '../../../src/wire/json.ts';
import { localKeys } from '../../../src/wire/jwks.ts';
import { sign, type TestKey, testKey } from '../../support/idp.ts';
import {
  ARGS,
  BANK,
  BROKER,
  bundle,
  details,
  held,
  JKT,
  NOW,
  newDraft,
  openRoom,
  outcome,
  presented,
  type Room,
  SHOP,
  type Wild,
} from './room.ts';

const ours: TestKey = await testKey();
const keys = localKeys({ keys: [ours.jwk] } as unknown as JsonObject);
if (!keys.ok) throw new Error(keys.error);
const tokens = keys.value;

let room: Room;
let authenticate: Authenticator;
before(async () => {
  room = await openRoom({ tokens });
  authenticate = room.authenticate;
});
after(() => room[Symbol.asyncDispose]());

const registration: Registration = { kind: 'vault', deliver: 'tool-server', where: 'w', cap: 9, settings: {} };
const known = bundle.servers.byId('shop') as ToolServer;
const tools = new Map([...known.tools].map(([name, tool]) => [name, { ...tool, credentials: new Map([['vault', registration]]) }]));
const shop: ToolServer = { ...known, tools };

const act = (...chain: readonly string[]): JsonObject | undefined =>
  chain.reduceRight<JsonObject | undefined>((inner, sub) => ({ sub, iss: BROKER, ...(inner && { act: inner }) }), undefined);
const call = { resource: SHOP, tool: 'create_refund', digest: digest(ARGS) };
const token = (claims: Wild = {}, header: Wild = {}): Promise<string> =>
  sign(
    ours,
    {
      iss: BROKER,
      sub: 'people:u_alice',
      aud: SHOP,
      client_id: 'refund-bot',
      iat: NOW - 5,
      exp: NOW + 55,
      jti: 'tok_1',
      txn: 'txn_1',
      scope: 'tool:create_refund',
      act: act('refund-bot'),
      cnf: { jkt: JKT },
      authorization_details: formatDetails(call),
      ...claims,
    },
    { typ: 'at+jwt', ...header },
  );
const proofOf = (actionToken: string, claims: Wild = {}): Promise<string> => {
  const { kty, crv, x, y } = held.jwk;
  const header = { typ: 'dpop+jwt', kid: undefined, jwk: { kty, crv, x, y } };
  return sign(held, { htm: 'tools/call', htu: SHOP, iat: NOW, jti: randomUUID(), ath: sha256(actionToken), ...claims }, header);
};
async function brought(actionToken: string, more: Partial<RedeemRequest> = {}, proof: Wild = {}): Promise<RedeemRequest> {
  const actionProof = await proofOf(actionToken, proof);
  return { ...(await presented('shop')), grant: 'redeem', token: actionToken, actionProof, resource: SHOP, kind: 'vault', ...more };
}

test('a good one: whose it is, what for, until when; the proof is spent for this action alone', async () => {
  const draft = newDraft();
  const action = await authenticate.action(await brought(await token(), { details: details(), retry: 'r' }), shop, bundle, draft);
  assert.ok(action.ok, outcome(action));
  const { job, agents, txn, jti, until, retry } = action.value;
  assert.deepEqual(
    [job.kind, job.subject, job.actors, job.jkt, job.call?.arguments],
    ['vault', 'people:u_alice', ['refund-bot'], JKT, ARGS],
  );
  assert.deepEqual([agents.map(({ id }) => id), txn, jti, until], [['refund-bot'], 'txn_1', 'tok_1', NOW + 55]);
  assert.match(retry?.key ?? '', /^retry\/shop\//);
  assert.equal(draft.spent.length, 1);
  const [spent] = draft.spent;
  assert.match(spent?.once ?? '', new RegExp(`^action-proof/${JKT}/`));
  assert.deepEqual([spent?.bound, spent?.otherwise, (spent?.until ?? 0) >= NOW + 55], ['txn_1', 'proof_replayed', true]);
});

test('every agent of a chain is known and asked about', async () => {
  const chained = await token({ act: act('lookup-bot', 'refund-bot') });
  const action = await authenticate.action(await brought(chained), shop, bundle, newDraft());
  assert.ok(action.ok, outcome(action));
  assert.deepEqual(
    [action.value.job.actors, action.value.agents.map(({ id }) => id)],
    [
      ['lookup-bot', 'refund-bot'],
      ['refund-bot', 'lookup-bot'],
    ],
  );
});

test('an agent for itself has nobody acting', async () => {
  const action = await authenticate.action(await brought(await token({ sub: 'refund-bot', act: undefined })), shop, bundle, newDraft());
  assert.ok(action.ok, outcome(action));
  assert.deepEqual([action.value.job.subject, action.value.job.actors], ['refund-bot', []]);
});

const TOKENS: readonly (readonly [string, Wild, string])[] = [
  ['the redeemer is its client', { client_id: 'shop' }, 'subject_bad/redeemer_acts'],
  ['the redeemer acts', { act: act('shop') }, 'subject_bad/redeemer_acts'],
  ['the redeemer acts behind another', { act: act('lookup-bot', 'shop') }, 'subject_bad/redeemer_acts'],
  ['an actor of another issuer', { act: { sub: 'refund-bot', iss: 'https://other.example' } }, 'subject_bad/actor_unknown'],
  ['an actor of no issuer', { act: { sub: 'refund-bot' } }, 'subject_bad/actor_unknown'],
  ['an actor that nobody knows', { act: act('nobody') }, 'subject_bad/actor_unknown'],
  ['a client that nobody knows', { client_id: 'nobody' }, 'subject_bad/actor_unknown'],
  ['an actor that is a list', { act: ['refund-bot'] }, 'subject_bad/act_form'],
  ['a suspended client', { client_id: 'suspended-bot' }, 'suspended'],
  ['a suspended actor', { act: act('refund-bot', 'suspended-bot') }, 'suspended'],
  ['an ownerless actor', { act: act('orphan-bot') }, 'owner_missing'],
  ['no details', { authorization_details: undefined }, 'subject_bad/token_is_base'],
  ['details and the scope of the list', { scope: 'tool:list' }, 'subject_bad/token_claim'],
  ['the scope of another tool', { scope: 'tool:write_note' }, 'subject_bad/token_claim'],
  ['two scopes', { scope: 'tool:create_refund tool:list' }, 'subject_bad/token_claim'],
  ['no details in the list', { authorization_details: [] }, 'subject_bad/details_count'],
  ['two details', { authorization_details: [...formatDetails(call), ...formatDetails(call)] }, 'subject_bad/details_count'],
  ['details of another server', { authorization_details: formatDetails({ ...call, resource: BANK }) }, 'subject_bad/details_location'],
  ['no key', { cnf: undefined }, 'subject_bad/cnf_form'],
  ['a key of another kind', { cnf: { 'x5t#S256': 'x' } }, 'subject_bad/cnf_form'],
  ['a key that is a number', { cnf: { jkt: 7 } }, 'subject_bad/cnf_form'],
  ['no txn', { txn: undefined }, 'subject_bad/token_claim'],
  ['no jti', { jti: undefined }, 'subject_bad/token_claim'],
  ['another audience', { aud: BANK }, 'subject_bad/token_audience'],
  ['two audiences', { aud: [SHOP, BANK] }, 'subject_bad/token_audience'],
  ['another issuer', { iss: `${BROKER}/backends` }, 'subject_bad/token_issuer'],
  ['a life of 301 s', { iat: NOW - 1, exp: NOW + 300 }, 'subject_bad/token_lifetime'],
  ['a making in the future', { iat: NOW + 11, exp: NOW + 60 }, 'subject_bad/token_early'],
  ['an end that is now', { exp: NOW }, 'subject_bad/token_expired'],
  ['no end', { exp: undefined }, 'subject_bad/token_claim'],
];
for (const [name, claims, expected] of TOKENS) {
  test(`${expected}: ${name}; nothing is spent`, async () => {
    const draft = newDraft();
    const action = await authenticate.action(await brought(await token(claims)), shop, bundle, draft);
    assert.equal(outcome(action), expected);
    assert.deepEqual(draft.spent, []);
  });
}

const TIMES: readonly (readonly [string, Wild, number, string])[] = [
  ['made with the token, shown at its end', { iat: NOW - 5 }, NOW + 54, 'ok'],
  ['by a clock a minute behind', { iat: NOW - 65 }, NOW, 'ok'],
  ['by a clock a minute and more behind', { iat: NOW - 66 }, NOW, 'proof_bad/proof_iat'],
  ['by a clock a minute ahead', { iat: NOW + 60 }, NOW, 'ok'],
  ['by a clock a minute and more ahead', { iat: NOW + 61 }, NOW, 'proof_bad/proof_iat'],
  ['by no clock', { iat: Number.MAX_SAFE_INTEGER }, NOW, 'proof_bad/proof_iat'],
];
for (const [name, proof, now, expected] of TIMES) {
  test(`${expected}: a proof ${name}`, async () => {
    const action = await authenticate.action(await brought(await token(), {}, proof), shop, bundle, newDraft(now));
    assert.equal(outcome(action), expected);
  });
}

test('keys that cannot be read are no verdict', async () => {
  const dead = { find: () => Promise.reject(new Error('dead')) };
  const other = await openRoom({ tokens: dead });
  const action = await other.authenticate.action(await brought(await token()), shop, bundle, newDraft());
  assert.equal(outcome(action), 'unavailable');
  await other[Symbol.asyncDispose]();
});
