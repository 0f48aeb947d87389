/** Tokens that are good in other hands: of another client, another audience, another key. */
import { newKey } from '../support/keys.ts';
import { ACCESS_TOKEN, type Asking, ID_TOKEN, JWT_TYPE } from '../support/rig.ts';
import { alone, by, denied, request, subject, subjectBad } from './cases-splice.ts';
import type { Case } from './oracle.ts';

const access = (claims: object): Asking => ({
  form: { subject_token_type: ACCESS_TOKEN },
  subject: { header: { typ: 'at+jwt' }, claims },
});
const jag = (claims: object): Asking => ({
  form: { subject_token_type: 'urn:ietf:params:oauth:token-type:id-jag' },
  subject: { header: { typ: 'oauth-id-jag+jwt' }, claims },
});

export const deputyCases: readonly Case[] = [
  // The token of another client, held by this one.
  {
    name: 'an id token of the sub-agent’s client',
    asking: () => subject({ aud: 'triage-bot-app' }),
    ...subjectBad,
    detail: 'token_audience',
  },
  { name: 'an id token for the broker', asking: (rig) => alone({ aud: rig.issuer }), ...subjectBad, detail: 'token_audience' },
  {
    name: 'an id token for the agent by its name here',
    asking: () => alone({ aud: 'refund-bot' }),
    ...subjectBad,
    detail: 'token_audience',
  },
  {
    name: 'an id token given by the client to another',
    asking: () => alone({ azp: 'triage-bot-app' }),
    ...subjectBad,
    detail: 'token_client',
  },
  {
    name: 'an agent without a client there',
    asking: (rig) => ({ ...alone({}), assertion: by(rig, 'nightly-report') }),
    ...subjectBad,
    detail: 'client_unmapped',
  },
  { name: 'an access token without a client', asking: (rig) => access({ aud: rig.issuer }), ...subjectBad, detail: 'token_client' },
  {
    name: 'an access token whose azp is another’s',
    asking: (rig) => access({ aud: rig.issuer, client_id: 'refund-bot-app', azp: 'triage-bot-app' }),
    ...subjectBad,
    detail: 'token_client',
  },
  {
    name: 'an access token whose client_id is a list',
    asking: (rig) => access({ aud: rig.issuer, client_id: ['refund-bot-app'] }),
    ...subjectBad,
    detail: 'token_client',
  },
  {
    name: 'an access token for broker and tool server',
    asking: (rig) => access({ aud: [rig.issuer, 'http://127.0.0.1:9090/mcp'], client_id: 'refund-bot-app' }),
    ...subjectBad,
    detail: 'token_audience',
  },
  {
    name: 'an access token for the token endpoint',
    asking: (rig) => access({ aud: `${rig.issuer}/token`, client_id: 'refund-bot-app' }),
    ...subjectBad,
    detail: 'token_audience',
  },
  {
    name: 'an access token bound to the agent’s assertion key',
    asking: (rig) => access({ aud: rig.issuer, client_id: 'refund-bot-app', cnf: { jkt: rig.agent.jkt } }),
    ...request,
    reason: 'subject_binding',
    detail: 'cnf_unproven',
  },
  {
    name: 'an access token bound to a certificate',
    asking: (rig) => access({ aud: rig.issuer, client_id: 'refund-bot-app', cnf: { 'x5t#S256': 'x' } }),
    ...request,
    reason: 'subject_binding',
    detail: 'cnf_form',
  },
  {
    name: 'a bound access token for a base token without proof',
    asking: (rig) => ({
      ...access({ aud: rig.issuer, client_id: 'refund-bot-app', cnf: { jkt: rig.proofKey.jkt } }),
      details: null,
      proof: null,
    }),
    ...request,
    reason: 'subject_binding',
    detail: 'cnf_unproven',
  },
  {
    name: 'an ID-JAG of another client',
    asking: (rig) => jag({ aud: rig.issuer, client_id: 'triage-bot', jti: 'j1' }),
    ...subjectBad,
    detail: 'token_client',
  },
  {
    name: 'an ID-JAG by the client id there',
    asking: (rig) => jag({ aud: rig.issuer, client_id: 'refund-bot-app', jti: 'j1' }),
    ...subjectBad,
    detail: 'token_client',
  },
  { name: 'an ID-JAG without client', asking: (rig) => jag({ aud: rig.issuer, jti: 'j1' }), ...subjectBad, detail: 'token_claim' },
  {
    name: 'an ID-JAG without jti',
    asking: (rig) => jag({ aud: rig.issuer, client_id: 'refund-bot' }),
    ...subjectBad,
    detail: 'token_claim',
  },
  {
    name: 'an ID-JAG for another broker',
    asking: () => jag({ aud: 'https://other-broker.example', client_id: 'refund-bot', jti: 'j1' }),
    ...subjectBad,
    detail: 'token_audience',
  },
  {
    name: 'a person as a service',
    asking: (rig) => ({ form: { subject_token_type: JWT_TYPE }, subject: { claims: { aud: rig.issuer } } }),
    ...denied,
    detail: 'subject',
  },
  {
    name: 'the wrong type for the right token',
    asking: () => ({ form: { subject_token_type: ID_TOKEN.toUpperCase() } }),
    ...request,
    reason: 'type_unsupported',
    detail: 'subject_token_type',
  },

  // The key of another.
  {
    name: 'the assertion of one agent, the proof and claims of nobody',
    asking: () => ({ proof: { key: newKey(), claims: { htu: 'https://x.example/token' } } }),
    status: 400,
    error: 'invalid_dpop_proof',
    reason: 'proof_bad',
    detail: 'proof_htu',
  },
  {
    name: 'triage-bot’s claims under refund-bot’s key',
    asking: () => ({ assertion: { claims: { iss: 'triage-bot', sub: 'triage-bot' } } }),
    status: 401,
    error: 'invalid_client',
    reason: 'client_unauthenticated',
    detail: 'token_signature',
  },
  {
    name: 'refund-bot’s key under triage-bot’s kid',
    asking: (rig) => ({ assertion: { header: { kid: rig.agents['triage-bot']?.kid }, claims: { iss: 'triage-bot', sub: 'triage-bot' } } }),
    status: 401,
    error: 'invalid_client',
    reason: 'client_unauthenticated',
    detail: 'token_signature',
  },
  {
    name: 'a tool server’s key for an agent',
    asking: (rig) => ({ assertion: { key: rig.server } }),
    status: 401,
    error: 'invalid_client',
    reason: 'client_unauthenticated',
    detail: 'token_signature',
  },
  {
    name: 'the proof key for the assertion',
    asking: (rig) => ({ assertion: { key: rig.proofKey } }),
    status: 401,
    error: 'invalid_client',
    reason: 'client_unauthenticated',
    detail: 'token_signature',
  },
];
