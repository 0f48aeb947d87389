/** What /openapi.json says of each endpoint. Documentation alone: requests are read by our own strict readers. */

import { GRANT_DEFERRED } from '../wire/deferred.ts';
import { CREDENTIAL_PREFIX, DETAILS_TYPE, GRANT_CLIENT, GRANT_EXCHANGE, TYPE_ACCESS_TOKEN } from '../wire/oauth.ts';

export const FORM = 'application/x-www-form-urlencoded';
export const JWT = 'application/jwt';
export const SECEVENT = 'application/secevent+jwt';
export const JSON_TYPE = 'application/json';

const text = { type: 'string' } as const;
const json = (properties: object, required: readonly string[] = []) => ({ type: 'object', properties, required: [...required] });
const answer = (description: string, schema: object = {}) => ({ description, ...schema });
const error = json(
  {
    error: text,
    error_description: text,
    reason: { ...text, description: 'Stable code, on a policy refusal' },
    remedy: json({ text, hints: { type: 'array', items: { type: 'object', additionalProperties: true } } }, ['text']),
    decision_id: { ...text, description: 'Names the ledger entry' },
    deferral_code: {
      ...text,
      description: 'With authorization_pending and slow_down: poll with it every `interval` seconds, for `expires_in`',
    },
    interval: { type: 'integer' },
    expires_in: { type: 'integer' },
    approval_uri: { ...text, description: 'Where a person who logs in can decide; it says nothing to anybody else' },
    step: { type: 'integer', description: 'Of a plan: the step, from 0, that was refused' },
  },
  ['error', 'error_description'],
);
const refusals = (...codes: readonly number[]) => Object.fromEntries(codes.map((code) => [code, answer('Refused (RFC 6749 §5.2)', error)]));
const client = {
  client_assertion_type: text,
  client_assertion: { ...text, description: 'private_key_jwt: iss = sub = client id, aud = the issuer, life ≤ 300 s, jti once' },
};

export const tokenDocs = {
  summary: 'One credential for one tool action (RFC 8693), or a base token; for a tool server what its tool needs of a back end',
  description:
    'Redemption: a tool server exchanges an action token of its own audience (`subject_token`, type access_token) with the agent’s proof for it ' +
    '(`action_proof`) for a credential of a kind that the tool registers (`requested_token_type`), once for an action and kind. No actor, scope or ' +
    'completion_mode then; `authorization_details` once more, with the arguments, where the registration’s template needs them.',
  tags: ['exchange'],
  consumes: [FORM],
  headers: json({
    dpop: { ...text, description: 'RFC 9449 proof: htm POST, htu <issuer>/token, nonce of the last answer' },
    'idempotency-key': { ...text, description: 'A safe retry returns the first grant' },
  }),
  body: json(
    {
      grant_type: { ...text, enum: [GRANT_EXCHANGE, GRANT_CLIENT, GRANT_DEFERRED] },
      ...client,
      subject_token: text,
      subject_token_type: text,
      actor_token: text,
      actor_token_type: text,
      resource: { ...text, description: 'Exactly one (RFC 8707)' },
      requested_token_type: { ...text, default: TYPE_ACCESS_TOKEN, description: `Or ${CREDENTIAL_PREFIX}<kind>` },
      action_proof: { ...text, description: 'Redemption: the DPoP proof that came with the action token, by header or in `_meta`' },
      credential_request: {
        ...text,
        description: 'Redemption: JSON object, ≤ 16 KiB, of what only the receiver can bring: a certificate request, a public key',
      },
      scope: { ...text, description: '`tool:list` for a base token' },
      authorization_details: { ...text, description: `JSON text: exactly one entry of type ${DETAILS_TYPE}, see /rar` },
      completion_mode: { ...text, enum: ['deferred'], description: 'Where people must agree, ask them and answer authorization_pending' },
      deferral_code: {
        ...text,
        description: `${GRANT_DEFERRED}: with client and proof, which are those of the first request; fresh subject and actor tokens of the same principals let people decide for longer`,
      },
      plan: { ...text, description: 'The deferral_code of a plan, of which this is a step that people agreed to' },
    },
    ['grant_type', 'client_assertion_type', 'client_assertion', 'resource'],
  ),
  response: {
    200: answer(
      'Granted',
      json(
        {
          access_token: { ...text, description: 'A JWT, or base64url(JSON) of a back end’s credential' },
          issued_token_type: text,
          token_type: { ...text, enum: ['DPoP', 'Bearer', 'N_A'] },
          expires_in: { type: 'integer' },
          scope: text,
          authorization_details: { type: 'array', items: { type: 'object', additionalProperties: true } },
        },
        ['access_token', 'issued_token_type', 'token_type', 'expires_in'],
      ),
    ),
    ...refusals(400, 401, 403, 409, 503),
  },
};
const planOf = {
  deferral_code: text,
  interval: { type: 'integer' },
  expires_in: { type: 'integer' },
  approval_uri: text,
};
const whole = (name: string) =>
  json({ dpop: { ...text, description: `RFC 9449 proof: htm POST, htu <issuer>/${name}, nonce of the last answer` } }, ['dpop']);
export const planDocs = {
  summary: 'Several actions at once, for one decision of people',
  description:
    'Refused whole where policy refuses a step: `step` says which. The same plan again has the same code. Poll at /token with the deferred grant: ' +
    'authorization_pending until people have decided, then `plan_decided`, access_denied or expired_token. Each step that they agreed to is then an ' +
    'ordinary exchange with `plan=<deferral_code>` and the very details that stand here, single and bound. /revoke with the code withdraws it.',
  tags: ['exchange'],
  consumes: [FORM],
  headers: whole('plans'),
  body: json(
    {
      grant_type: { ...text, enum: [GRANT_EXCHANGE, GRANT_CLIENT] },
      ...client,
      subject_token: text,
      subject_token_type: text,
      actor_token: text,
      actor_token_type: text,
      authorization_details: {
        ...text,
        description: `JSON text: 1 to 20 entries of type ${DETAILS_TYPE}, no two alike; each names its resource`,
      },
      ordered: { ...text, enum: ['true', 'false'], default: 'false', description: 'Each step only after the one before it was granted' },
    },
    ['grant_type', 'client_assertion_type', 'client_assertion', 'authorization_details'],
  ),
  response: {
    200: answer(
      'People are asked; `approved` where nobody has to be',
      json(
        {
          state: { ...text, enum: ['pending', 'approved'] },
          ...planOf,
          steps: { type: 'array', items: json({ needs_approval: { type: 'boolean' } }, ['needs_approval']) },
        },
        ['state', 'deferral_code', 'interval', 'expires_in', 'steps'],
      ),
    ),
    ...refusals(400, 401, 403, 409, 503),
  },
};
export const planStatusDocs = {
  summary: 'What became of each step of a plan of mine',
  tags: ['exchange'],
  consumes: [FORM],
  headers: whole('plans/status'),
  body: json({ ...client, deferral_code: text }, ['client_assertion_type', 'client_assertion', 'deferral_code']),
  response: {
    200: answer(
      'In the order of the plan',
      json(
        {
          state: { ...text, enum: ['pending', 'approved', 'redeemed', 'denied', 'expired', 'cancelled'] },
          ordered: { type: 'boolean' },
          ...planOf,
          steps: {
            type: 'array',
            items: json({
              state: { ...text, enum: ['waiting', 'agreed', 'refused', 'granted'] },
              needs_approval: { type: 'boolean' },
              authorization_details: { type: 'array', items: { type: 'object', additionalProperties: true } },
              txn: text,
            }),
          },
        },
        ['state', 'ordered', 'steps'],
      ),
    ),
    ...refusals(400, 401, 503),
  },
};
export const introspectDocs = {
  summary: 'Is this token of mine still good? (RFC 7662)',
  tags: ['tool servers'],
  consumes: [FORM],
  body: json({ ...client, token: text }, ['client_assertion', 'token']),
  response: {
    200: answer('Its claims, or inactive', { ...json({ active: { type: 'boolean' } }, ['active']), additionalProperties: true }),
    ...refusals(400, 401, 503),
  },
};
export const revokeDocs = {
  summary: 'End a token of mine (RFC 7009), or withdraw what waits for people under a deferral code',
  tags: ['exchange'],
  consumes: [FORM],
  body: json({ ...client, token: text }, ['client_assertion', 'token']),
  response: { 200: answer('Ended, or never was'), ...refusals(400, 401, 503) },
};
export const receiptDocs = {
  summary: 'What really happened: a JWS of the tool server, once for an action',
  tags: ['tool servers'],
  consumes: [JWT],
  body: text,
  response: { 204: answer('Recorded'), ...refusals(400, 401, 409, 503) },
};
/** A POST, though it changes nothing: the assertion that proves the caller is a secret as long as it lives, and addresses are kept in logs. */
export const revocationsDocs = {
  summary: 'What no longer stands for my audience: a long poll, answered at once where it is not what I hold',
  description:
    'The answer is a JWS by the token keys, `typ` countersign-revocations+jwt, `aud` the caller’s resource: `seq` never decreases; `stands`, ' +
    'where it is not what `held` names, is all that is to be refused: `all`, `agents` (client ids, also in `act`), `subjects` (base64url of ' +
    'SHA-256 over the JSON array of audience and `sub`), `tools`, `tokens` (`[jti, txn, until]`). What was undone is not in it any more.',
  tags: ['tool servers'],
  consumes: [FORM],
  body: json(
    {
      ...client,
      after: { ...text, description: 'The highest `seq` I have seen' },
      held: { ...text, description: 'base64url of SHA-256 over the RFC 8785 text of the `stands` I hold' },
      wait: { ...text, description: 'Seconds to wait for news, at most 25' },
      nonce: { ...text, description: 'Stands in the answer' },
    },
    ['client_assertion'],
  ),
  response: { 200: answer('A JWS', text), ...refusals(400, 401, 429, 503) },
};
export const eventsDocs = {
  summary: 'Shared signals: a security event token of a configured transmitter (RFC 8935), which halts its subject',
  tags: ['operation'],
  consumes: [SECEVENT],
  body: text,
  response: {
    202: answer('Heard'),
    400: answer('Refused (RFC 8935 §2.4)', json({ err: text, description: text }, ['err', 'description'])),
    ...refusals(503),
  },
};
const get = (
  summary: string,
  tag = 'discovery',
  more: Readonly<Record<number, object>> = {},
): { summary: string; tags: string[]; response: Record<number, object> } => ({
  summary,
  tags: [tag],
  response: { 200: answer('Found', { type: 'object', additionalProperties: true }), ...more },
});
export const metadataDocs = get('RFC 8414 metadata');
export const jwksDocs = get('Keys that verify action tokens (RFC 7517)', 'discovery', { 304: answer('Unchanged') });
export const rarDocs = get('JSON Schema of the authorization details type (RFC 9396 §10)');
export const openapiDocs = get('This document');
export const healthDocs = get('The process runs', 'operation');
export const readyDocs = get('Grants can be made; 503 with the reasons when not', 'operation', { 503: answer('Nothing is granted now') });
export const metricsDocs = {
  summary: 'Prometheus metrics, without identities',
  tags: ['operation'],
  response: { 200: answer('Text', text) },
};
export const authorizeDocs = {
  summary: 'Always refuses: there is no authorization code here',
  tags: ['discovery'],
  response: refusals(400),
};

/** Published at /rar: the shape of one action. */
export const detailsSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  $id: DETAILS_TYPE,
  title: 'One tool call',
  type: 'object',
  additionalProperties: false,
  required: ['type', 'locations', 'actions', 'identifier'],
  properties: {
    type: { const: DETAILS_TYPE },
    locations: { type: 'array', minItems: 1, maxItems: 1, items: { type: 'string', format: 'uri', description: 'Equals `resource`' } },
    actions: { const: ['tools/call'] },
    identifier: { type: 'string', pattern: '^[A-Za-z0-9_.-]{1,128}$', description: 'The tool' },
    arguments: { type: 'object', description: "Strict JSON of the tool's registered schema" },
    arguments_digest: { type: 'string', pattern: '^sha-256:[A-Za-z0-9_-]{43}$', description: 'SHA-256 over RFC 8785 of the arguments' },
    purpose: { type: 'string', maxLength: 1000, description: 'Why: recorded, never trusted' },
    context: {
      type: 'object',
      additionalProperties: false,
      properties: {
        session: { type: 'string', maxLength: 256 },
        trace: { type: 'string', maxLength: 256 },
        model: { type: 'string', maxLength: 256 },
      },
    },
  },
};
