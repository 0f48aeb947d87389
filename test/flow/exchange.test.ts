/** What is granted, to the letter: the answer of wire.md §3.1 and the token of §3.2, checked by jose and an RFC 8785 library, never by our own code. */
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import canonicalize from 'canonicalize';
import type { JsonObject } from '../../src/wire/json.ts';
import { newKey } from '../support/keys.ts';
import { ACCESS_TOKEN, type Asking, DETAILS, JWT_TYPE, type Part, REFUND, RESOURCE, type Rig, startRig } from '../support/rig.ts';
import { asAgent, asItself, type Granted, grantedBy, LIST, widenBundle } from './front-door.ts';

let rig: Rig;
before(async () => {
  rig = await startRig({ bundle: widenBundle });
});
after(() => rig.stop());

const granted = (asking: Asking = {}): Promise<Granted> => grantedBy(rig, asking);
/** What is left at the answer: a second may have passed since `iat`. */
const near = (left: unknown, whole: number): boolean => Number(left) <= whole && Number(left) > whole - 5;
const digest = (args: object): string => `sha-256:${hash('sha256', canonicalize(args) ?? '', 'base64url')}`;
const detailsOf = (identifier: string, args: object): JsonObject[] => [
  { type: DETAILS, locations: [RESOURCE], actions: ['tools/call'], identifier, arguments_digest: digest(args) },
];
const ORDERS: Asking = { entry: { identifier: 'list_orders' }, args: {} };
const act = (...ids: readonly string[]): JsonObject | undefined =>
  ids.reduceRight<JsonObject | undefined>((inner, sub) => ({ sub, iss: rig.issuer, ...(inner && { act: inner }) }), undefined);

describe('an action token', () => {
  it('has every claim of wire.md §3.2 and no other, and the answer every member of §3.1 and no other', async () => {
    const at = rig.now();
    const { answer, header, claims } = await granted();
    const { iat = 0, exp = 0, jti, txn } = claims;
    assert.ok(iat >= at && iat <= rig.now());
    assert.match(String(jti), /^tok_[0-9a-f]{32}$/);
    assert.match(String(txn), /^txn_[0-9a-f]{32}$/);
    assert.deepEqual(claims, {
      iss: rig.issuer,
      sub: 'people:u_bob',
      aud: RESOURCE,
      client_id: 'refund-bot',
      iat,
      exp: iat + 60,
      jti,
      txn,
      scope: 'tool:create_refund',
      act: { sub: 'refund-bot', iss: rig.issuer },
      cnf: { jkt: rig.proofKey.jkt },
      authorization_details: detailsOf('create_refund', REFUND),
    });
    assert.deepEqual(Object.keys(header).sort(), ['alg', 'kid', 'typ']);
    assert.deepEqual([header.alg, header.typ], ['ES256', 'at+jwt']);
    assert.deepEqual(answer.body, {
      access_token: answer.body['access_token'],
      issued_token_type: ACCESS_TOKEN,
      token_type: 'DPoP',
      expires_in: answer.body['expires_in'],
      scope: 'tool:create_refund',
      authorization_details: detailsOf('create_refund', REFUND),
    });
    assert.ok(near(answer.body['expires_in'], exp - iat));
    const headers = ['cache-control', 'pragma', 'content-type', 'x-content-type-options'].map((name) => answer.headers.get(name));
    assert.deepEqual(headers, ['no-store', 'no-cache', 'application/json; charset=utf-8', 'nosniff']);
    assert.match(answer.headers.get('dpop-nonce') ?? '', /^[A-Za-z0-9_-]{20,}$/);
  });

  it('is one issuance of one action: no id comes twice', async () => {
    const all = await Promise.all(Array.from({ length: 20 }, () => granted()));
    assert.equal(new Set(all.flatMap(({ claims }) => [claims.jti, claims['txn']])).size, 40);
  });

  it('names the arguments by their digest: before defaults, absent as {}, beside a digest that agrees', async () => {
    const nothing = 'sha-256:RBNvo1WzZ4oRRq0W9-hknpT7T8If536DEMBg9hyq_4o';
    assert.equal(digest({}), nothing);
    const absent = JSON.stringify([{ type: DETAILS, locations: [RESOURCE], actions: ['tools/call'], identifier: 'list_orders' }]);
    for (const asking of [ORDERS, { details: absent }]) {
      const { claims } = await granted(asking);
      assert.deepEqual(claims['authorization_details'], detailsOf('list_orders', {}));
    }
    const args = { reason: 'zwölf €\u2028', currency: 'EUR', payment_id: 'p', amount_minor: 4200 };
    const { claims } = await granted({ args, entry: { arguments_digest: digest(args) } });
    assert.deepEqual(claims['authorization_details'], detailsOf('create_refund', args));
  });

  it('for a hidden tool: the digest alone is enough, and the arguments are no secret that must be sent', async () => {
    const args = { name: 'salaries' };
    const alone = {
      type: DETAILS,
      locations: [RESOURCE],
      actions: ['tools/call'],
      identifier: 'read_note',
      arguments_digest: digest(args),
    };
    for (const asking of [{ details: [alone] }, { entry: { identifier: 'read_note' }, args }]) {
      const { claims } = await granted(asking);
      assert.deepEqual(claims['authorization_details'], detailsOf('read_note', args));
    }
    const seen = await rig.ask({ details: [{ ...alone, identifier: 'create_refund' }] });
    assert.deepEqual([seen.status, seen.body['error']], [400, 'invalid_authorization_details']);
  });

  it('asks for an access token by name as well', async () => {
    const { answer } = await granted({ form: { requested_token_type: ACCESS_TOKEN } });
    assert.equal(answer.body['issued_token_type'], ACCESS_TOKEN);
  });
});

describe('on whose behalf', () => {
  it('a person, by id token or by access token', async () => {
    const alice = { sub: 'u_alice', groups: ['support', 'support-leads'] };
    const byId = await granted({ subject: { claims: alice } });
    const byAccess = await granted({
      form: { subject_token_type: ACCESS_TOKEN },
      subject: { header: { typ: 'at+jwt' }, claims: { ...alice, aud: rig.issuer, client_id: 'refund-bot-app' } },
    });
    const bound = await granted({
      form: { subject_token_type: ACCESS_TOKEN },
      subject: {
        header: { typ: 'at+jwt' },
        claims: { ...alice, aud: rig.issuer, client_id: 'refund-bot-app', cnf: { jkt: rig.proofKey.jkt } },
      },
    });
    for (const { claims } of [byId, byAccess, bound]) assert.equal(claims.sub, 'people:u_alice');
  });

  it('a service, by its workload token', async () => {
    const { claims } = await granted({
      ...ORDERS,
      form: { subject_token_type: JWT_TYPE },
      subject: { claims: { sub: 'svc-orders', aud: rig.issuer, groups: undefined } },
    });
    assert.deepEqual([claims.sub, claims['act']], ['people:svc-orders', act('refund-bot')]);
  });

  it('nobody but itself: client_credentials, for an action and for the list', async () => {
    const action = await granted(asItself(rig, 'nightly-report'));
    const { iat, jti, txn, ...claims } = action.claims;
    assert.deepEqual(claims, {
      iss: rig.issuer,
      sub: 'nightly-report',
      aud: RESOURCE,
      client_id: 'nightly-report',
      exp: Number(iat) + 30,
      scope: 'tool:list_orders',
      cnf: { jkt: rig.proofKey.jkt },
      authorization_details: detailsOf('list_orders', {}),
    });
    const list = await granted(asItself(rig, 'nightly-report', { details: null }));
    assert.deepEqual(
      [list.claims.sub, list.claims['scope'], 'act' in list.claims, 'authorization_details' in list.claims],
      ['nightly-report', 'tool:list', false, false],
    );
  });
});

describe('a base token', () => {
  it('bound to the key that was proved, and to nothing of one action', async () => {
    const { answer, claims } = await granted(LIST);
    assert.deepEqual(Object.keys(claims).sort(), ['act', 'aud', 'client_id', 'cnf', 'exp', 'iat', 'iss', 'jti', 'scope', 'sub', 'txn']);
    assert.deepEqual(Object.keys(answer.body).sort(), ['access_token', 'expires_in', 'issued_token_type', 'scope', 'token_type']);
    assert.deepEqual([answer.body['token_type'], answer.body['scope'], claims['scope']], ['DPoP', 'tool:list', 'tool:list']);
    assert.deepEqual(claims['cnf'], { jkt: rig.proofKey.jkt });
  });

  it('a plain Bearer without a proof, as stock clients ask for it', async () => {
    const { answer, claims } = await granted(asItself(rig, 'nightly-report', { details: null, proof: null }));
    assert.deepEqual([answer.body['token_type'], 'cnf' in claims, claims['scope']], ['Bearer', false, 'tool:list']);
    const call = await rig.ask(asItself(rig, 'nightly-report', { proof: null }));
    assert.deepEqual([call.status, call.body['error']], [400, 'invalid_dpop_proof']);
  });

  it('drops the scopes that need details, and is refused where nothing is left', async () => {
    const wide = await granted({ details: null, form: { scope: 'openid tool:create_refund tool:list' } });
    assert.deepEqual([wide.answer.body['scope'], wide.claims['scope']], ['tool:list', 'tool:list']);
    const none = await rig.ask({ details: null, form: { scope: 'tool:create_refund' } });
    assert.deepEqual([none.status, none.body['error']], [400, 'invalid_request']);
  });
});

describe('a sub-agent', () => {
  const own = newKey();
  const sub = (more: object = {}): Asking => ({ ...ORDERS, actor: { claims: { cnf: { jkt: own.jkt }, ...more } } });

  it('acts outermost, under the client that delegated, with its own key and its own limit', async () => {
    const { answer, claims } = await granted(sub());
    assert.deepEqual(claims['act'], act('triage-bot', 'refund-bot'));
    assert.deepEqual([claims['client_id'], claims.sub, claims['cnf']], ['refund-bot', 'people:u_bob', { jkt: own.jkt }]);
    assert.ok(Number(claims.exp) - Number(claims.iat) === 30 && near(answer.body['expires_in'], 30));
  });

  it('stands before whoever its own token nests, and behind nobody', async () => {
    const { claims } = await granted({ subject: { claims: { act: { iss: rig.issuer, sub: 'triage-bot' } } }, ...ORDERS });
    assert.deepEqual(claims['act'], act('refund-bot', 'triage-bot'));
    const twice = await rig.ask({ ...sub(), subject: { claims: { act: { iss: rig.issuer, sub: 'triage-bot' } } } });
    assert.deepEqual([twice.status, twice.body['error']], [400, 'invalid_request']);
  });

  it('may do no more than each of them: one no is enough', async () => {
    const refund = await rig.ask({ actor: { claims: { cnf: { jkt: own.jkt } } } });
    assert.deepEqual([refund.status, refund.body['reason']], [403, 'refund_delegated']);
  });

  it('passes may_act only if it is the one named', async () => {
    const may = (subject: string): Part => ({ claims: { may_act: { iss: rig.issuer, sub: subject } } });
    const alone = await granted({ subject: may('refund-bot') });
    assert.deepEqual(alone.claims['act'], act('refund-bot'));
    const below = await granted({ ...sub(), subject: may('triage-bot') });
    assert.deepEqual(below.claims['act'], act('triage-bot', 'refund-bot'));
    const other = await rig.ask({ ...sub(), subject: may('refund-bot') });
    assert.deepEqual([other.status, other.body['error']], [400, 'invalid_request']);
  });
});

it('an agent that holds a mandate for people and none for itself gets nothing for itself', async () => {
  const answer = await rig.ask({ ...asItself(rig, 'refund-bot'), ...asAgent(rig, 'refund-bot') });
  assert.deepEqual([answer.status, answer.body['error'], answer.body['reason']], [403, 'access_denied', 'no_permit']);
});
