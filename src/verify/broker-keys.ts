import { remoteKeys } from '../wire/jwks-remote.ts';
import type { KeySource } from '../wire/jws.ts';

/** Of a broker: its metadata names them (RFC 8414 §3), and they are fetched with care. */
export const issuerKeys = (issuer: string, now: () => number): KeySource =>
  remoteKeys({ url: { issuer, document: 'oauth-authorization-server' }, now, staleSeconds: 300 });
