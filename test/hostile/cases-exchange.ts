import { newKey, rawJws } from '../support/keys.ts';
import { ACCESS_TOKEN, JWT_TYPE, RESOURCE } from '../support/rig.ts';
import type { Case } from './oracle.ts';

const request = { status: 400, error: 'invalid_request' } as const;
const subject = { ...request, reason: 'subject_bad' } as const;
const actor = { ...request, reason: 'actor_bad' } as const;
const malformed = { ...request, reason: 'request_malformed' } as const;
const target = { status: 400, error: 'invalid_target', reason: 'resource_unknown' } as const;

export const exchangeCases: readonly Case[] = [
  { name: 'no grant type', asking: () => ({ form: { grant_type: null } }), ...malformed, detail: 'grant_type' },
  {
    name: 'an unknown grant type',
    asking: () => ({ form: { grant_type: 'password' } }),
    status: 400,
    error: 'unsupported_grant_type',
    reason: 'grant_unsupported',
  },
  {
    name: 'an authorization code',
    asking: () => ({ form: { grant_type: 'authorization_code', code: 'x' } }),
    status: 400,
    error: 'unsupported_grant_type',
    reason: 'grant_unsupported',
  },
  { name: 'a parameter twice', asking: () => ({ body: (form) => `${form}&resource=x` }), ...malformed, detail: 'form_duplicate' },
  {
    name: 'a parameter twice, once escaped',
    asking: () => ({ body: (form) => `${form}&grant%5Ftype=password` }),
    ...malformed,
    detail: 'form_duplicate',
  },
  { name: 'an audience beside the resource', asking: () => ({ form: { audience: 'shop' } }), ...malformed, detail: 'audience' },
  {
    name: 'an unknown requested_token_type',
    asking: () => ({ form: { requested_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' } }),
    ...request,
    reason: 'type_unsupported',
  },
  { name: 'a completion mode nobody knows', asking: () => ({ form: { completion_mode: 'now' } }), ...malformed, detail: 'completion_mode' },
  {
    name: 'a deferral code nobody gave',
    asking: () => ({ form: { grant_type: 'urn:ietf:params:oauth:grant-type:deferred', deferral_code: 'apr_1' } }),
    status: 400,
    error: 'invalid_grant',
    reason: 'approval_unknown',
  },
  {
    name: 'an Idempotency-Key with a line feed',
    asking: () => ({ headers: { 'idempotency-key': 'a\tb' } }),
    ...malformed,
    detail: 'idempotency_key',
  },

  { name: 'no subject token', asking: () => ({ subject: null }), ...malformed, detail: 'subject_token' },
  {
    name: 'a subject token with client_credentials',
    asking: () => ({ form: { grant_type: 'client_credentials' } }),
    ...malformed,
    detail: 'subject_token',
  },
  {
    name: 'a SAML subject',
    asking: () => ({ form: { subject_token_type: 'urn:ietf:params:oauth:token-type:saml2' } }),
    ...request,
    reason: 'type_unsupported',
    detail: 'subject_token_type',
  },
  {
    name: 'an issuer nobody configured',
    asking: () => ({ subject: { claims: { iss: 'https://evil.example' } } }),
    ...subject,
    detail: 'token_issuer',
  },
  {
    name: 'a token of ours as subject',
    asking: (rig) => ({ subject: { claims: { iss: rig.issuer } } }),
    ...subject,
    detail: 'subject_is_ours',
  },
  { name: 'signed by somebody else', asking: () => ({ subject: { key: newKey('people-1') } }), ...subject, detail: 'token_signature' },
  {
    name: 'an id token of another client',
    asking: () => ({ subject: { claims: { aud: 'triage-bot-app' } } }),
    ...subject,
    detail: 'token_audience',
  },
  {
    name: 'an id token for two clients',
    asking: () => ({ subject: { claims: { aud: ['refund-bot-app', 'other'] } } }),
    ...subject,
    detail: 'token_audience',
  },
  { name: 'azp of another client', asking: () => ({ subject: { claims: { azp: 'other' } } }), ...subject, detail: 'token_client' },
  { name: 'a logout token', asking: () => ({ subject: { claims: { events: {} } } }), ...subject, detail: 'token_events' },
  {
    name: 'an access token shown as id token',
    asking: () => ({ subject: { header: { typ: 'at+jwt' } } }),
    ...subject,
    detail: 'token_typ',
  },
  {
    name: 'an id token shown as access token',
    asking: () => ({ form: { subject_token_type: ACCESS_TOKEN } }),
    ...subject,
    detail: 'token_typ',
  },
  {
    name: 'passthrough: an access token for another resource',
    asking: () => ({
      form: { subject_token_type: ACCESS_TOKEN },
      subject: { header: { typ: 'at+jwt' }, claims: { aud: RESOURCE, client_id: 'refund-bot-app' } },
    }),
    ...subject,
    detail: 'token_audience',
  },
  {
    name: 'an access token given to another client',
    asking: (rig) => ({
      form: { subject_token_type: ACCESS_TOKEN },
      subject: { header: { typ: 'at+jwt' }, claims: { aud: rig.issuer, client_id: 'triage-bot-app' } },
    }),
    ...subject,
    detail: 'token_client',
  },
  {
    name: 'an access token bound to another key',
    asking: (rig) => ({
      form: { subject_token_type: ACCESS_TOKEN },
      subject: { header: { typ: 'at+jwt' }, claims: { aud: rig.issuer, client_id: 'refund-bot-app', cnf: { jkt: newKey().jkt } } },
    }),
    ...request,
    reason: 'subject_binding',
  },
  {
    name: 'expired',
    asking: (rig) => ({ subject: { claims: { iat: rig.now() - 700, exp: rig.now() - 100 } } }),
    ...subject,
    detail: 'token_expired',
  },
  { name: 'a century of life', asking: () => ({ subject: { claims: { exp: 4_900_000_000 } } }), ...subject, detail: 'token_lifetime' },
  { name: 'sub is empty', asking: () => ({ subject: { claims: { sub: '' } } }), ...subject, detail: 'token_claim' },
  { name: 'sub is an object', asking: () => ({ subject: { claims: { sub: { id: 1 } } } }), ...subject, detail: 'token_claim' },
  {
    name: 'sub stands twice',
    asking: (rig) => ({
      subject: {
        token: rawJws(
          rig.idp.key,
          JSON.stringify({ alg: 'ES256', kid: rig.idp.key.kid }),
          `{"sub":"u_alice","iss":"${rig.idp.issuer}","sub":"u_bob"}`,
        ),
      },
    }),
    ...subject,
    detail: 'token_form',
  },
  { name: 'a kid the issuer never had', asking: () => ({ subject: { header: { kid: 'people-9' } } }), ...subject, detail: 'token_kid' },
  {
    name: 'may_act names another agent',
    asking: (rig) => ({ subject: { claims: { may_act: { iss: rig.issuer, sub: 'triage-bot' } } } }),
    ...request,
    reason: 'may_act_mismatch',
  },
  {
    name: 'may_act without issuer',
    asking: () => ({ subject: { claims: { may_act: { sub: 'refund-bot' } } } }),
    ...request,
    reason: 'may_act_mismatch',
  },
  {
    name: 'may_act that is no object',
    asking: () => ({ subject: { claims: { may_act: 'refund-bot' } } }),
    ...request,
    reason: 'may_act_mismatch',
  },

  {
    name: 'an actor token without its type',
    asking: () => ({ actor: {}, form: { actor_token_type: null } }),
    ...malformed,
    detail: 'actor_token_type',
  },
  {
    name: 'an actor token of the wrong type',
    asking: () => ({ actor: {}, form: { actor_token_type: ACCESS_TOKEN } }),
    ...actor,
    detail: 'actor_token_type',
  },
  {
    name: 'an actor nobody registered',
    asking: () => ({ actor: { claims: { iss: 'ghost', sub: 'ghost' } } }),
    ...actor,
    detail: 'actor_unknown',
  },
  { name: 'an actor token signed by its delegator', asking: (rig) => ({ actor: { key: rig.agent } }), ...actor, detail: 'token_signature' },
  { name: 'an actor token without a key', asking: () => ({ actor: { claims: { cnf: undefined } } }), ...actor, detail: 'cnf_form' },
  {
    name: 'an actor token that lives too long',
    asking: (rig) => ({ actor: { claims: { exp: rig.now() + 900 } } }),
    ...actor,
    detail: 'token_lifetime',
  },
  {
    name: 'the client as its own sub-agent',
    asking: (rig) => ({ actor: { key: rig.agent, claims: { iss: 'refund-bot', sub: 'refund-bot' } } }),
    ...actor,
    detail: 'actor_twice',
  },
  {
    name: 'a cycle in the chain',
    asking: (rig) => ({ actor: { claims: { act: { iss: rig.issuer, sub: 'triage-bot' } } } }),
    ...actor,
    detail: 'actor_twice',
  },
  {
    name: 'a chain with a stranger in it',
    asking: (rig) => ({ actor: { claims: { act: { iss: rig.issuer, sub: 'ghost' } } } }),
    ...actor,
    detail: 'actor_unknown',
  },
  {
    name: 'a service token where people are vouched for',
    asking: () => ({ form: { subject_token_type: JWT_TYPE } }),
    ...subject,
    detail: 'token_audience',
  },

  { name: 'no resource', asking: () => ({ form: { resource: null } }), ...malformed, detail: 'resource' },
  { name: 'an unknown resource', asking: () => ({ form: { resource: 'https://other.example/mcp' } }), ...target },
  { name: 'a trailing slash', asking: () => ({ form: { resource: `${RESOURCE}/` } }), ...target },
  { name: 'another case', asking: () => ({ form: { resource: RESOURCE.replace('mcp', 'MCP') } }), ...target },
  { name: 'userinfo in the resource', asking: () => ({ form: { resource: RESOURCE.replace('//', '//x@') } }), ...target },
  { name: 'a fragment', asking: () => ({ form: { resource: `${RESOURCE}#x` } }), ...target },
];
