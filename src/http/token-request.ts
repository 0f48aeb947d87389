/** What a form at /token asks for (wire.md §3, §6). Strict: a malformed request is refused, never repaired. */
import type { IncomingMessage } from 'node:http';
import { type Result, refuse } from '../errors.ts';
import type { Presented, Principals, RedeemRequest, TokenRequest } from '../request.ts';
import { COMPLETION_DEFERRED, GRANT_DEFERRED, PARAM_COMPLETION_MODE, PARAM_DEFERRAL_CODE } from '../wire/deferred.ts';
import {
  CREDENTIAL_PREFIX,
  type CredentialKind,
  GRANT_CLIENT,
  GRANT_EXCHANGE,
  PARAM_ACTION_PROOF,
  PARAM_CREDENTIAL_REQUEST,
  TYPE_ACCESS_TOKEN,
  TYPE_JWT,
} from '../wire/oauth.ts';
import { ok } from '../wire/result.ts';
import { parseForm } from './form.ts';
import { presented } from './presented.ts';

/** What comes to /token: for the broker, or for redemption. */
export type Arrived = Result<TokenRequest> | Result<RedeemRequest>;
type Form = ReadonlyMap<string, string>;
const malformed = (detail: string): ReturnType<typeof refuse> => refuse('request_malformed', { detail });

/** A malformed request is an entry too: it goes through the broker as such. */
export function readToken(raw: IncomingMessage, body: unknown, htu: string, kinds: ReadonlySet<string>): Arrived {
  const form = parseForm(body);
  if (!form.ok) return form;
  const shown = presented(raw, form.value, htu);
  if (!shown.ok) return shown;
  const get = (name: string): string | undefined => form.value.get(name);
  const retry = idempotencyKey(raw.headers['idempotency-key']);
  if (!retry.ok) return retry;

  const grantType = get('grant_type');
  if (grantType === undefined) return malformed('grant_type');
  if (grantType === GRANT_DEFERRED) {
    const code = get(PARAM_DEFERRAL_CODE);
    const fresh = principalsOf(form.value);
    if (!fresh.ok) return fresh;
    return code === undefined ? malformed(PARAM_DEFERRAL_CODE) : ok({ ...shown.value, ...fresh.value, grant: 'deferred', code });
  }
  if (grantType !== GRANT_EXCHANGE && grantType !== GRANT_CLIENT) return refuse('grant_unsupported');
  const kind = kindOf(get('requested_token_type'), kinds);
  if (!kind) return refuse('type_unsupported', { detail: 'requested_token_type' });
  const resource = get('resource');
  if (resource === undefined) return malformed('resource');
  // RFC 8693 §2.1: `audience` names targets by another scheme; here the resource alone does.
  if (get('audience') !== undefined) return malformed('audience');
  const details = get('authorization_details');
  const asked = {
    ...shown.value,
    resource,
    kind,
    ...(retry.value !== undefined && { retry: retry.value }),
    ...(details !== undefined && { details }),
  };
  const actionProof = get(PARAM_ACTION_PROOF);
  if (actionProof !== undefined) return readRedeem(asked, form.value, grantType, actionProof);
  // What only a receiver can bring: left unread it would be missed much later.
  if (get(PARAM_CREDENTIAL_REQUEST) !== undefined) return malformed(PARAM_CREDENTIAL_REQUEST);

  const mode = get(PARAM_COMPLETION_MODE);
  if (mode !== undefined && mode !== COMPLETION_DEFERRED) return malformed(PARAM_COMPLETION_MODE);
  const principals = principalsOf(form.value);
  if (!principals.ok) return principals;
  const [scope, plan] = [get('scope'), get('plan')];
  // A plan has actions alone.
  if (plan !== undefined && details === undefined) return malformed('plan');
  return ok({
    ...asked,
    grant: grantType === GRANT_EXCHANGE ? 'exchange' : 'client_credentials',
    deferred: mode === COMPLETION_DEFERRED,
    ...principals.value,
    ...(scope !== undefined && { scope }),
    ...(plan !== undefined && { plan }),
  });
}
/** Errors: `request_malformed`, and `actor_bad` for an actor token of another type. */
export function principalsOf(form: Form): Result<Principals> {
  const [subjectToken, actorToken] = [form.get('subject_token'), form.get('actor_token')];
  const [subjectTokenType, actorTokenType] = [form.get('subject_token_type'), form.get('actor_token_type')];
  if ((actorToken === undefined) !== (actorTokenType === undefined)) return malformed('actor_token_type');
  if (actorTokenType !== undefined && actorTokenType !== TYPE_JWT) return refuse('actor_bad', { detail: 'actor_token_type' });
  return ok({
    ...(subjectToken !== undefined && { subjectToken }),
    ...(subjectTokenType !== undefined && { subjectTokenType }),
    ...(actorToken !== undefined && { actorToken }),
  });
}

type Asked = Presented & Pick<RedeemRequest, 'resource' | 'kind' | 'retry' | 'details'>;
/** Nobody acts beside the redeemer, nothing is asked for but the kind, and nobody is waited for. */
const NOT_REDEEMED = ['actor_token', 'actor_token_type', 'scope', 'plan', PARAM_COMPLETION_MODE, PARAM_DEFERRAL_CODE];
/** wire.md §6: an exchange with the agent's proof beside the token is a redemption. */
function readRedeem(asked: Asked, form: Form, grantType: string, actionProof: string): Result<RedeemRequest> {
  if (grantType !== GRANT_EXCHANGE) return malformed(PARAM_ACTION_PROOF);
  if (asked.kind === 'jwt') return refuse('type_unsupported', { detail: 'requested_token_type' });
  for (const name of NOT_REDEEMED) if (form.has(name)) return malformed(name);
  const token = form.get('subject_token');
  if (token === undefined) return malformed('subject_token');
  const type = form.get('subject_token_type');
  if (type === undefined) return malformed('subject_token_type');
  if (type !== TYPE_ACCESS_TOKEN) return refuse('type_unsupported', { detail: 'subject_token_type' });
  const material = form.get(PARAM_CREDENTIAL_REQUEST);
  return ok({ ...asked, grant: 'redeem', token, actionProof, ...(material !== undefined && { material }) });
}

function kindOf(type: string | undefined, kinds: ReadonlySet<string>): CredentialKind | undefined {
  if (type === undefined || type === TYPE_ACCESS_TOKEN) return 'jwt';
  const kind = type.startsWith(CREDENTIAL_PREFIX) ? type.slice(CREDENTIAL_PREFIX.length) : '';
  return kinds.has(kind) ? kind : undefined;
}
/** A quoted string or a bare one of visible ASCII, at most 255. */
function idempotencyKey(header: string | readonly string[] | undefined): Result<string | undefined> {
  if (header === undefined) return ok(undefined);
  const text = typeof header === 'string' ? header.replace(/^"(.*)"$/, '$1') : '';
  return /^[\x20-\x21\x23-\x7e]{1,255}$/.test(text) ? ok(text) : malformed('idempotency_key');
}
