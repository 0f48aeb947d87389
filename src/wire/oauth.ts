/** Names that stand in RFCs and in wire.md, once. */

// Grants
export const GRANT_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'; // RFC 8693 §2.1
export const GRANT_CLIENT = 'client_credentials'; // RFC 6749 §4.4
export const ASSERTION_JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'; // RFC 7523 §2.2

// Token types, RFC 8693 §3
export const TYPE_ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
export const TYPE_ID_TOKEN = 'urn:ietf:params:oauth:token-type:id_token';
export const TYPE_ID_JAG = 'urn:ietf:params:oauth:token-type:id-jag'; // draft-ietf-oauth-identity-assertion-authz-grant
export const TYPE_JWT = 'urn:ietf:params:oauth:token-type:jwt';

// What can be asked for (wire.md §3)
export const CREDENTIAL_PREFIX = 'urn:countersign:credential:';
/** `jwt` is signed here; every other kind is a back end's, named by the end of its URN (wire.md §6). */
export type CredentialKind = 'jwt' | 'aws' | 'vault' | (string & {});
// Redemption (wire.md §6)
export const PARAM_ACTION_PROOF = 'action_proof';
export const PARAM_CREDENTIAL_REQUEST = 'credential_request';

// One action (RFC 9396 §2, wire.md §3)
export const DETAILS_TYPE = 'urn:countersign:tool-call:v1';
export const ACTION_CALL = 'tools/call';
export const SCOPE_LIST = 'tool:list';
export const scopeOf = (tool: string): string => `tool:${tool}`;

// JOSE `typ` values: each kind of JWT is refused in another's place (RFC 8725 §3.11–3.12)
export const TYP_ACCESS_TOKEN = 'at+jwt'; // RFC 9068 §2.1
export const TYP_PROOF = 'dpop+jwt'; // RFC 9449 §4.2
export const TYP_CLIENT_ASSERTION = 'client-authentication+jwt'; // RFC 7523bis §4
export const TYP_RECEIPT = 'countersign-receipt+jwt';
export const TYP_EXPORT = 'countersign-export+jwt';

// MCP delivery in `_meta` (wire.md §5)
export const META_TOKEN = 'countersign/action-token';
export const META_PROOF = 'countersign/action-proof';
