import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';
import type { Shown } from '../../../src/authenticate/authenticate.ts';
import { type OidcIssuerOptions, oidcIssuer } from '../../../src/authenticate/issuer-oidc.ts';
import { ConfigError, toWire } from '../../../src/errors.ts';
import { TYPE_ACCESS_TOKEN, TYPE_ID_JAG, TYPE_ID_TOKEN, TYPE_JWT } from '../../../src/wire/oauth.ts';
import { sign } from '../../support/idp.ts';
import {
  actorToken,
  assertion,
  BROKER,
  bundle,
  CI,
  clock,
  JKT,
  keys,
  NOW,
  newDraft,
  openRoom,
  outcome,
  SHOP,
  SUB_JKT,
  stranger,
  type Wild,
} from './room.ts';

const room = await openRoom();
after(() => room[Symbol.asyncDispose]());
beforeEach(() => {
  clock.at += 60; // past the cooldown of unknown keys
});
const { people, idToken } = room;

const at = (claims: Wild = {}, header: object = {}): Promise<string> =>
  idToken({ aud: BROKER, client_id: 'rb-there', ...claims }, { typ: 'at+jwt', ...header });
const jag = (claims: Wild = {}, header: object = {}): Promise<string> =>
  idToken({ aud: BROKER, client_id: 'refund-bot', jti: 'jag-1', ...claims }, { typ: 'oauth-id-jag+jwt', ...header });
const service = (claims: Wild = {}, header: object = {}): Promise<string> => room.workload({ sub: 'system:orders', ...claims }, header);

const GOOD: readonly (readonly [string, string, () => Promise<string>, string])[] = [
  ['an id token', TYPE_ID_TOKEN, () => idToken(), 'people:u_alice'],
  ['an id token with azp', TYPE_ID_TOKEN, () => idToken({ azp: 'rb-there', nonce: 'x', auth_time: NOW }), 'people:u_alice'],
  ['an id token without typ', TYPE_ID_TOKEN, () => idToken({}, { typ: undefined }), 'people:u_alice'],
  ['an id token with a list of one audience', TYPE_ID_TOKEN, () => idToken({ aud: ['rb-there'] }), 'people:u_alice'],
  ['an id token bound to the key of the proof', TYPE_ID_TOKEN, () => idToken({ cnf: { jkt: JKT } }), 'people:u_alice'],
  ['an access token', TYPE_ACCESS_TOKEN, () => at(), 'people:u_alice'],
  ['an access token with azp alone', TYPE_ACCESS_TOKEN, () => at({ client_id: undefined, azp: 'rb-there' }), 'people:u_alice'],
  ['an access token of application/at+jwt', TYPE_ACCESS_TOKEN, () => at({}, { typ: 'application/at+jwt' }), 'people:u_alice'],
  ['an access token bound to the key', TYPE_ACCESS_TOKEN, () => at({ cnf: { jkt: JKT } }), 'people:u_alice'],
  ['an id-jag', TYPE_ID_JAG, () => jag(), 'people:u_alice'],
  ['a workload as service', TYPE_JWT, () => service(), 'ci:system:orders'],
];
for (const [name, subjectTokenType, make, subject] of GOOD) {
  test(`accepted: ${name}`, async () => {
    const draft = newDraft();
    const asked = await room.authenticate.asked(
      await room.exchange({ subjectTokenType, subjectToken: await make() }),
      room.caller,
      bundle,
      draft,
    );
    assert.equal(outcome(asked), 'ok');
    assert.equal(draft.facts.subject, subject);
  });
}
test('a person: issuer id, subject, end, and the attributes that are registered', async () => {
  const subjectToken = await idToken({ groups: ['a', 'b'], admin: true });
  const asked = await room.authenticate.asked(await room.exchange({ subjectToken }), room.caller, bundle, newDraft());
  assert.ok(asked.ok);
  assert.deepEqual(asked.value.subject, {
    kind: 'person',
    issuer: 'people',
    subject: 'u_alice',
    exp: NOW + 600,
    attributes: { email: 'alice@shop.example', groups: ['a', 'b'] },
  });
  assert.equal(asked.value.until, NOW + 600);
});

const bad = (flaw: string): string => `subject_bad/${flaw}`;
const HOSTILE: readonly (readonly [string, string, () => Promise<string>, string])[] = [
  ['nonsense', TYPE_ID_TOKEN, async () => 'a.b', bad('token_form')],
  ['an issuer that nobody configured', TYPE_ID_TOKEN, () => idToken({ iss: 'https://evil.example' }), bad('token_issuer')],
  ['the issuer with a slash', TYPE_ID_TOKEN, () => idToken({ iss: `${people.issuer}/` }), bad('token_issuer')],
  ['no issuer', TYPE_ID_TOKEN, () => idToken({ iss: undefined }), bad('token_form')],
  ["the broker's own token", TYPE_ACCESS_TOKEN, () => at({ iss: BROKER }), bad('subject_is_ours')],
  ["the broker's back-end login", TYPE_JWT, () => service({ iss: `${BROKER}/backends` }), bad('subject_is_ours')],
  ["an agent's assertion", TYPE_JWT, () => assertion('refund-bot'), bad('token_issuer')],
  ["an agent's actor token", TYPE_JWT, () => actorToken('lookup-bot'), bad('token_issuer')],
  ['a SAML assertion', 'urn:ietf:params:oauth:token-type:saml2', () => idToken(), 'type_unsupported/subject_token_type'],
  ['a refresh token', 'urn:ietf:params:oauth:token-type:refresh_token', () => idToken(), 'type_unsupported/subject_token_type'],
  [
    'an unknown key',
    TYPE_ID_TOKEN,
    () => sign(stranger, { iss: people.issuer, sub: 'u', aud: 'rb-there', iat: NOW, exp: NOW + 60 }),
    bad('token_kid'),
  ],
  [
    'another key under the name',
    TYPE_ID_TOKEN,
    () => sign(keys.twin, { iss: people.issuer, sub: 'u', aud: 'rb-there', iat: NOW, exp: NOW + 60 }, { kid: room.signer.kid }),
    bad('token_kid'), // another algorithm under the name
  ],
  // id tokens
  ["another agent's client id", TYPE_ID_TOKEN, () => idToken({ aud: 'lb-there' }), bad('token_audience')],
  ['the client id here instead of there', TYPE_ID_TOKEN, () => idToken({ aud: 'refund-bot' }), bad('token_audience')],
  ['two audiences', TYPE_ID_TOKEN, () => idToken({ aud: ['rb-there', 'lb-there'] }), bad('token_audience')],
  ['the resource as audience', TYPE_ID_TOKEN, () => idToken({ aud: SHOP }), bad('token_audience')],
  ['azp of another', TYPE_ID_TOKEN, () => idToken({ azp: 'lb-there' }), bad('token_client')],
  ['azp a list', TYPE_ID_TOKEN, () => idToken({ azp: ['rb-there'] }), bad('token_client')],
  [
    'a logout token',
    TYPE_ID_TOKEN,
    () => idToken({ events: { 'http://schemas.openid.net/event/backchannel-logout': {} } }),
    bad('token_events'),
  ],
  ['typ logout+jwt', TYPE_ID_TOKEN, () => idToken({}, { typ: 'logout+jwt' }), bad('token_typ')],
  ['an access token as id token', TYPE_ID_TOKEN, () => at(), bad('token_typ')],
  ['expired', TYPE_ID_TOKEN, () => idToken({ exp: NOW }), bad('token_expired')],
  ['not yet', TYPE_ID_TOKEN, () => idToken({ nbf: NOW + 60 }), bad('token_early')],
  ['a day long', TYPE_ID_TOKEN, () => idToken({ exp: NOW + 86_400 }), bad('token_lifetime')],
  ['no sub', TYPE_ID_TOKEN, () => idToken({ sub: undefined }), bad('token_claim')],
  // access tokens
  ['passthrough: a token for the resource', TYPE_ACCESS_TOKEN, () => at({ aud: SHOP }), bad('token_audience')],
  ['a token for the broker and the resource', TYPE_ACCESS_TOKEN, () => at({ aud: [BROKER, SHOP] }), bad('token_audience')],
  ['an id token as access token', TYPE_ACCESS_TOKEN, () => idToken(), bad('token_typ')],
  ['given to nobody', TYPE_ACCESS_TOKEN, () => at({ client_id: undefined }), bad('token_client')],
  ['given to another', TYPE_ACCESS_TOKEN, () => at({ client_id: 'lb-there' }), bad('token_client')],
  ['azp and client_id apart', TYPE_ACCESS_TOKEN, () => at({ azp: 'lb-there' }), bad('token_client')],
  ['typ JWT where at+jwt is registered', TYPE_ACCESS_TOKEN, () => at({}, { typ: 'JWT' }), bad('token_typ')],
  // id-jag
  ['an id-jag of another client', TYPE_ID_JAG, () => jag({ client_id: 'lookup-bot' }), bad('token_client')],
  ['an id-jag with the client id there', TYPE_ID_JAG, () => jag({ client_id: 'rb-there' }), bad('token_client')],
  ['an id-jag without client', TYPE_ID_JAG, () => jag({ client_id: undefined }), bad('token_claim')],
  ['an id-jag without jti', TYPE_ID_JAG, () => jag({ jti: undefined }), bad('token_claim')],
  ['an id-jag for another', TYPE_ID_JAG, () => jag({ aud: SHOP }), bad('token_audience')],
  ['an access token as id-jag', TYPE_ID_JAG, () => at({ client_id: 'refund-bot', jti: 'x' }), bad('token_typ')],
  ['an id-jag as access token', TYPE_ACCESS_TOKEN, () => jag({ client_id: 'rb-there' }), bad('token_typ')],
  // workloads
  ['a workload of an issuer for people', TYPE_JWT, () => idToken({ aud: BROKER }), bad('issuer_vouches')],
  ['a person of an issuer for workloads', TYPE_ID_TOKEN, () => service({ aud: 'rb-there' }), bad('issuer_vouches')],
  [
    'an access token of an issuer for workloads',
    TYPE_ACCESS_TOKEN,
    () => service({ client_id: 'rb-there' }, { typ: 'at+jwt' }),
    bad('issuer_vouches'),
  ],
  ['a workload for another', TYPE_JWT, () => service({ aud: 'https://vault.example' }), bad('token_audience')],
  ['a workload that is an agent', TYPE_JWT, () => room.workload(), bad('subject_is_agent')],
  // bindings (RFC 7800)
  ['bound to another key', TYPE_ID_TOKEN, () => idToken({ cnf: { jkt: SUB_JKT } }), 'subject_binding/cnf_unproven'],
  ['an access token bound to another key', TYPE_ACCESS_TOKEN, () => at({ cnf: { jkt: SUB_JKT } }), 'subject_binding/cnf_unproven'],
  ['bound to a certificate', TYPE_ACCESS_TOKEN, () => at({ cnf: { 'x5t#S256': 'AAAA' } }), 'subject_binding/cnf_form'],
  ['bound to key and certificate', TYPE_ACCESS_TOKEN, () => at({ cnf: { jkt: JKT, 'x5t#S256': 'A' } }), 'subject_binding/cnf_form'],
  ['bound to a whole key', TYPE_ID_TOKEN, () => idToken({ cnf: { jwk: {} } }), 'subject_binding/cnf_form'],
  ['an empty binding', TYPE_ID_TOKEN, () => idToken({ cnf: {} }), 'subject_binding/cnf_form'],
  ['a binding that is text', TYPE_ID_TOKEN, () => idToken({ cnf: JKT }), 'subject_binding/cnf_form'],
  ['a bound workload', TYPE_JWT, () => service({ cnf: { jkt: SUB_JKT } }), 'subject_binding/cnf_unproven'],
];
for (const [name, subjectTokenType, make, answer] of HOSTILE) {
  test(`${answer}: ${name}; one answer to the caller, what was wanted is noted`, async () => {
    const draft = newDraft();
    const request = await room.exchange({ subjectTokenType, subjectToken: await make() });
    const asked = await room.authenticate.asked(request, room.caller, bundle, draft);
    assert.equal(outcome(asked), answer);
    assert.ok(!asked.ok);
    assert.deepEqual([toWire(asked.error.reason).status, toWire(asked.error.reason).error], [400, 'invalid_request']);
    const { resource, tool, credential } = draft.facts;
    assert.deepEqual({ resource, tool, credential }, { resource: SHOP, tool: 'create_refund', credential: 'jwt' });
  });
}
test('a bound subject token without any proof is unproven', async () => {
  const request = await room.exchange({ subjectToken: await idToken({ cnf: { jkt: JKT } }), details: undefined, scope: 'tool:list' });
  const { jkt: _, ...keyless } = room.caller;
  assert.equal(outcome(await room.authenticate.asked(request, keyless, bundle, newDraft())), 'subject_binding/cnf_unproven');
});
test('an agent without a client id at that issuer has nobody to speak for', async () => {
  const client = bundle.agents.byClient('third-bot');
  assert.ok(client);
  const asked = await room.authenticate.asked(await room.exchange(), { client, jkt: JKT }, bundle, newDraft());
  assert.equal(outcome(asked), 'subject_bad/client_unmapped');
});
test('an issuer that cannot be reached is 503, and makes nobody wait twice', async () => {
  await using fresh = await openRoom();
  fresh.people.answers['/jwks'] = { status: 500 };
  for (let i = 0; i < 3; i++) {
    const asked = await fresh.authenticate.asked(await fresh.exchange(), fresh.caller, bundle, newDraft());
    assert.equal(outcome(asked), 'issuer_unavailable/keys_unavailable');
  }
  assert.deepEqual(fresh.people.hits, ['/.well-known/openid-configuration', '/jwks']);
});
test('an issuer that is not configured is never asked', async () => {
  await using fresh = await openRoom();
  await using evil = await openRoom();
  const subjectToken = await evil.idToken();
  const asked = await fresh.authenticate.asked(await fresh.exchange({ subjectToken }), fresh.caller, bundle, newDraft());
  assert.equal(outcome(asked), 'subject_bad/token_issuer');
  assert.deepEqual([fresh.people.hits, evil.people.hits], [[], []]);
});
test('access tokens of another typ, where the registration names it', async () => {
  await using legacy = await openRoom({ accessTokenTyp: 'JWT' });
  const token = (typ: string): Promise<string> => legacy.idToken({ aud: BROKER, client_id: 'rb-there' }, { typ });
  const ask = async (subjectToken: string): Promise<string> =>
    outcome(
      await legacy.authenticate.asked(
        await legacy.exchange({ subjectTokenType: TYPE_ACCESS_TOKEN, subjectToken }),
        legacy.caller,
        bundle,
        newDraft(),
      ),
    );
  assert.equal(await ask(await token('JWT')), 'ok');
  assert.equal(await ask(await token('at+jwt')), 'subject_bad/token_typ');
});
test('a registration under which tokens could stand for each other is refused at start', () => {
  const base: OidcIssuerOptions = {
    id: 'x',
    issuer: 'https://x.example',
    vouches: ['person'],
    clients: {},
    audience: BROKER,
    now: () => NOW,
  };
  for (const change of [
    { vouches: ['person', 'service'], accessTokenTyp: 'JWT' },
    { vouches: ['person', 'agent'], accessTokenTyp: 'application/jwt' },
    { accessTokenTyp: 'oauth-id-jag+jwt' },
    { accessTokenTyp: '' },
    { clients: { 'refund-bot': BROKER } },
  ] as const) {
    assert.throws(() => oidcIssuer({ ...base, ...change }), ConfigError);
  }
  assert.throws(() => oidcIssuer({ ...base, issuer: 'http://x.example' }), TypeError);
  const issuer = oidcIssuer({ ...base, clients: { a: 'b' } });
  assert.equal(issuer.clientId('a'), 'b');
  for (const name of ['constructor', '__proto__', 'toString']) assert.equal(issuer.clientId(name), undefined);
});
test('an issuer asked about a type it does not know', async () => {
  const shown: Shown = { token: await idToken(), type: 'urn:x', agent: 'refund-bot' };
  const issuer = oidcIssuer({ id: 'p', issuer: CI, vouches: ['person'], clients: {}, audience: BROKER, now: () => NOW });
  assert.equal(outcome(await issuer.prove(shown, newDraft())), 'type_unsupported/subject_token_type');
});
