/** Every "no" of a tool server: one code, one status, one OAuth error, one constant text (wire.md §5). */
import type { DetailsFlaw } from '../wire/details.ts';
import type { ProofFlaw } from '../wire/dpop.ts';
import type { JsonFlaw } from '../wire/json.ts';
import type { TokenFlaw } from '../wire/jws.ts';
import { SCOPE_LIST, scopeOf } from '../wire/oauth.ts';

export type VerifyCode =
  | `ERR_${Uppercase<TokenFlaw>}`
  | `ERR_${Uppercase<ProofFlaw>}`
  | `ERR_${Uppercase<Exclude<DetailsFlaw, JsonFlaw | 'digest_mismatch'>>}`
  | 'ERR_TOKEN_MISSING'
  | 'ERR_TOKEN_SCHEME'
  | 'ERR_TOKEN_REVOKED'
  | 'ERR_TOKEN_CONFLICT'
  | 'ERR_PROOF_MISSING'
  | 'ERR_PROOF_BINDING'
  | 'ERR_PROOF_REPLAYED'
  | 'ERR_SCOPE_INSUFFICIENT'
  | 'ERR_DETAILS_DIGEST'
  | 'ERR_ARGUMENTS_FORM'
  | 'ERR_ARGUMENTS_DIGEST'
  | 'ERR_REQUEST_FORM'
  | 'ERR_REQUEST_BATCH'
  | 'ERR_REQUEST_INPUT'
  | 'ERR_REQUEST_HEADERS'
  | 'ERR_REQUEST_SIZE'
  | 'ERR_REQUEST_TYPE'
  | 'ERR_METHOD_REFUSED'
  | 'ERR_TOOL_UNKNOWN'
  | 'ERR_TOOL_UNGUARDED'
  | 'ERR_ACTION_CONSUMED'
  | 'ERR_ACTION_TOO_OLD'
  | 'ERR_STORE_UNAVAILABLE'
  | 'ERR_INTROSPECTION_UNAVAILABLE'
  | 'ERR_REVOCATIONS_STALE';

export type OAuthError =
  | 'invalid_request'
  | 'invalid_token'
  | 'insufficient_scope'
  | 'invalid_dpop_proof'
  | 'use_dpop_nonce'
  | 'access_denied'
  | 'action_consumed'
  | 'not_found'
  | 'temporarily_unavailable'
  | 'server_error';

interface Answer {
  readonly status: number;
  readonly error: OAuthError;
  readonly text: string;
}
const answer = (status: number, error: OAuthError, text: string): Answer => ({ status, error, text });
const badToken = answer(401, 'invalid_token', 'The token was not accepted for this call.');
const badProof = answer(401, 'invalid_dpop_proof', 'The DPoP proof was not accepted for this token and request.');
const badRequest = (text: string): Answer => answer(400, 'invalid_request', text);

function answerOf(code: VerifyCode): Answer {
  switch (code) {
    case 'ERR_TOKEN_MISSING':
      return answer(401, 'invalid_token', 'A token of the authorization server is needed.');
    case 'ERR_TOKEN_FORM':
    case 'ERR_TOKEN_HEADER':
    case 'ERR_TOKEN_ALG':
    case 'ERR_TOKEN_TYP':
    case 'ERR_TOKEN_KID':
    case 'ERR_TOKEN_SIGNATURE':
    case 'ERR_TOKEN_ISSUER':
    case 'ERR_TOKEN_AUDIENCE':
    case 'ERR_TOKEN_EARLY':
    case 'ERR_TOKEN_LIFETIME':
    case 'ERR_TOKEN_CLAIM':
    case 'ERR_DETAILS_TYPE':
    case 'ERR_DETAILS_MEMBER':
    case 'ERR_DETAILS_COUNT':
    case 'ERR_DETAILS_LOCATION':
    case 'ERR_DETAILS_ACTION':
    case 'ERR_DETAILS_TOOL':
    case 'ERR_DETAILS_DIGEST':
      return badToken;
    case 'ERR_TOKEN_SCHEME':
      return answer(401, 'invalid_token', 'A token bound to a key needs the DPoP scheme and a proof; an unbound token needs Bearer.');
    case 'ERR_TOKEN_EXPIRED':
      return answer(401, 'invalid_token', 'The token has expired.');
    case 'ERR_TOKEN_REVOKED':
      return answer(401, 'invalid_token', 'The token is no longer active.');
    case 'ERR_ARGUMENTS_DIGEST':
      return answer(401, 'invalid_token', 'The token is for other arguments.');
    case 'ERR_TOKEN_CONFLICT':
      return badRequest('The header may hold this action token or a base token of the same client, nothing else.');
    case 'ERR_PROOF_MISSING':
      return answer(401, 'invalid_dpop_proof', 'A DPoP proof is needed.');
    case 'ERR_PROOF_FORM':
    case 'ERR_PROOF_KEY':
    case 'ERR_PROOF_SIGNATURE':
    case 'ERR_PROOF_CLAIM':
    case 'ERR_PROOF_HTM':
    case 'ERR_PROOF_HTU':
    case 'ERR_PROOF_IAT':
    case 'ERR_PROOF_ATH':
    case 'ERR_PROOF_BINDING':
    case 'ERR_PROOF_REPLAYED':
      return badProof;
    case 'ERR_PROOF_NONCE_NEEDED':
      return answer(401, 'use_dpop_nonce', 'Sign the DPoP proof again with the nonce of this answer.');
    case 'ERR_SCOPE_INSUFFICIENT':
      return answer(403, 'insufficient_scope', 'Every tools/call needs an action token for this tool and these arguments.');
    case 'ERR_METHOD_REFUSED':
      return answer(403, 'access_denied', 'This method is not open to a base token.');
    case 'ERR_ARGUMENTS_FORM':
      return badRequest('The arguments are not a strict JSON object.');
    case 'ERR_REQUEST_FORM':
      return badRequest('The request is not one strict JSON-RPC message.');
    case 'ERR_REQUEST_BATCH':
      return badRequest('JSON-RPC arrays are not accepted.');
    case 'ERR_REQUEST_INPUT':
      return badRequest('A guarded tool takes its input from the arguments alone.');
    case 'ERR_REQUEST_HEADERS':
      return badRequest('A header is repeated or disagrees with the body.');
    case 'ERR_REQUEST_SIZE':
      return answer(413, 'invalid_request', 'The request is too large.');
    case 'ERR_REQUEST_TYPE':
      return answer(415, 'invalid_request', 'The body must be application/json.');
    case 'ERR_TOOL_UNKNOWN':
      return answer(404, 'not_found', 'There is no tool of this name.');
    case 'ERR_TOOL_UNGUARDED':
      return answer(500, 'server_error', 'The tool was reached without a verified action, so it did not run.');
    case 'ERR_ACTION_CONSUMED':
      return answer(409, 'action_consumed', 'This action token has been used; it is not given back.');
    case 'ERR_ACTION_TOO_OLD':
      return answer(409, 'action_consumed', 'This action token is older than the memory of what was used.');
    case 'ERR_KEYS_UNAVAILABLE':
    case 'ERR_STORE_UNAVAILABLE':
    case 'ERR_INTROSPECTION_UNAVAILABLE':
    case 'ERR_REVOCATIONS_STALE':
      return answer(503, 'temporarily_unavailable', 'The tool server cannot verify safely now.');
    default:
      return code satisfies never;
  }
}

/**
 * The call was refused and nothing ran. `code` is stable; `message` is a constant that names nothing presented.
 * `status`, `headers` and `body` are the HTTP answer.
 */
export class VerifyError extends Error {
  override readonly name = 'VerifyError';
  readonly code: VerifyCode;
  readonly status: number;
  readonly error: OAuthError;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: VerifyCode, headers: Readonly<Record<string, string>> = {}) {
    const { status, error, text } = answerOf(code);
    super(text);
    this.code = code;
    this.status = status;
    this.error = error;
    this.headers = headers;
  }
  /** The body of a plain HTTP answer. */
  get body(): { readonly error: OAuthError; readonly error_description: string; readonly code: VerifyCode } {
    return { error: this.error, error_description: this.message, code: this.code };
  }
  /** The same inside a JSON-RPC answer. The id is the caller's text, so an HTTP answer leaves it null. */
  rpc(id: string | number | null = null): {
    jsonrpc: '2.0';
    id: string | number | null;
    error: { code: number; message: string; data: object };
  } {
    const nonce = this.headers['dpop-nonce'];
    const data = { error: this.error, code: this.code, ...(nonce !== undefined && { nonce }) };
    return { jsonrpc: '2.0', id, error: { code: this.status === 400 ? RPC_INVALID_REQUEST : RPC_REFUSED, message: this.message, data } };
  }
}
const RPC_INVALID_REQUEST = -32600;
/** From the range that JSON-RPC leaves to implementations, clear of those MCP has taken. */
const RPC_REFUSED = -32050;

/** Builds refusals of one server: `tool` names what a step-up would need. */
export type Refuse = (code: VerifyCode, tool?: string) => VerifyError;

export function refusals(options: { readonly metadataUrl: string; readonly nonce?: () => string }): Refuse {
  return (code, tool) => {
    const { status, error, text } = answerOf(code);
    if (status === 503) return new VerifyError(code, { 'retry-after': '2' });
    if (status !== 401 && error !== 'insufficient_scope') return new VerifyError(code);
    // Bearer first: v1 of the MCP SDK reads a challenge only if it starts so. Errors of the proof belong to DPoP (RFC 9449 §7.1).
    const ofProof = error === 'invalid_dpop_proof' || error === 'use_dpop_nonce';
    // A request without a token learns no error code (RFC 6750 §3).
    const why = code === 'ERR_TOKEN_MISSING' ? '' : `, error="${error}", error_description="${text}"`;
    const scope =
      code === 'ERR_TOKEN_MISSING' ? SCOPE_LIST : error === 'insufficient_scope' ? (tool ? scopeOf(tool) : SCOPE_LIST) : undefined;
    const bearer = `Bearer resource_metadata="${options.metadataUrl}"${scope ? `, scope="${scope}"` : ''}${ofProof ? '' : why}`;
    const headers: Record<string, string> = { 'www-authenticate': `${bearer}, DPoP algs="ES256"${ofProof ? why : ''}` };
    if (options.nonce && ofProof) headers['dpop-nonce'] = options.nonce();
    return new VerifyError(code, headers);
  };
}
