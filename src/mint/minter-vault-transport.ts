/**
 * How bytes reach Vault: what node-vault sends through in place of its own HTTP. One host, no redirect, no rewriting of a path, certificates
 * verified whatever the environment says, an end to every call and to every body. May not know what is asked.
 */
import { Agent as HttpAgent, type IncomingMessage, request as overHttp } from 'node:http';
import { Agent as HttpsAgent, request as overHttps } from 'node:https';
import { Unavailable } from '../errors.ts';
import { isObject, type JsonObject, parseJson } from '../wire/json.ts';
import { VAULT_PATH } from './minter-vault-registration.ts';

export type VaultFlaw =
  | 'vault_path' // never sent
  | 'vault_network'
  | 'vault_deadline'
  | 'vault_redirect'
  | 'vault_size'
  | 'vault_form' // not the JSON that Vault answers with
  | 'vault_status' // sealed, or unwell
  | 'vault_lifetime'; // it lives longer than it may
/** Nobody can know what Vault did. `code` says what was seen, and nothing of what was said. */
export class VaultFault extends Unavailable {
  readonly code: VaultFlaw;
  constructor(code: VaultFlaw) {
    super('vault');
    this.message = code; // all that a log shows
    this.code = code;
  }
}

/** What node-vault hands to its `request-promise`, as far as it is ours to fill. */
export interface Sending {
  readonly method: 'GET' | 'POST';
  readonly uri: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly json?: unknown; // what node-vault's defaults make `true` is no body
  readonly signal: AbortSignal;
  readonly maxBytes: number;
}
/** What it wants back. */
export interface Received {
  readonly statusCode: number;
  readonly body: JsonObject;
  readonly request: { readonly path: string };
}
export interface TransportOptions {
  /** https, or http on loopback; no slash at its end. */
  readonly address: string;
  /** PEM of who may vouch for it, in place of the public authorities. */
  readonly ca?: string;
}
/** Throws VaultFault. */
export type Send = (sending: Sending) => Promise<Received>;

/** Open at once; more wait their turn, within their deadline. */
const CONNECTIONS = 64;
/** An idle connection, which keeps no process alive, is closed before Vault or a proxy would do it under a request. */
const IDLE_MS = 30_000;
const LIST = '?list=1';

export function vaultTransport({ address, ca }: TransportOptions): Send {
  const base = new URL(address);
  const secure = base.protocol === 'https:';
  const keep = { keepAlive: true, maxSockets: CONNECTIONS, timeout: IDLE_MS };
  // Explicit, so that neither NODE_TLS_REJECT_UNAUTHORIZED nor VAULT_SKIP_VERIFY has a say.
  const agent = secure
    ? new HttpsAgent({ ...keep, rejectUnauthorized: true, minVersion: 'TLSv1.2', ...(ca && { ca }) })
    : new HttpAgent(keep);
  const request = secure ? overHttps : overHttp;
  const prefix = `${base.pathname.replace(/\/$/, '')}/v1/`;
  const root = `${address}/v1/`;

  return async ({ method, uri, headers, json, signal, maxBytes }) => {
    const asked = uri.startsWith(root) ? uri.slice(root.length) : '';
    const bare = method === 'GET' && asked.endsWith(LIST) ? asked.slice(0, -LIST.length) : asked;
    if (!VAULT_PATH.test(bare)) throw new VaultFault('vault_path');
    // Text, not bytes: head and body then leave in one write.
    const body = isObject(json) ? JSON.stringify(json) : undefined;
    try {
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        const sent = request({
          agent,
          // `URL` writes an IPv6 address in brackets, sockets want it bare.
          hostname: base.hostname.replace(/^\[|\]$/g, ''),
          port: base.port,
          path: `${prefix}${asked}`,
          method,
          signal,
          headers: {
            ...headers,
            accept: 'application/json',
            'x-vault-request': 'true',
            ...(body && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
          },
        });
        sent.once('response', resolve).once('error', reject).end(body);
      });
      return { statusCode: response.statusCode ?? 0, body: await read(response, maxBytes), request: { path: bare } };
    } catch (fault) {
      if (fault instanceof VaultFault) throw fault;
      throw new VaultFault(signal.aborted ? 'vault_deadline' : 'vault_network');
    }
  };
}

/** One JSON object, whole; an empty one for 204. */
async function read(response: IncomingMessage, maxBytes: number): Promise<JsonObject> {
  const status = response.statusCode ?? 0;
  const flaw = flawOf(status, response.headers);
  if (flaw) {
    response.destroy();
    throw new VaultFault(flaw);
  }
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > maxBytes) throw new VaultFault('vault_size'); // leaving the loop ends the connection
    parts.push(part);
  }
  if (!response.complete) throw new VaultFault('vault_network');
  if (status === 204 && size === 0) return {};
  const parsed = parseJson(textOf(Buffer.concat(parts)), maxBytes);
  if (!parsed.ok || !isObject(parsed.value)) throw new VaultFault('vault_form');
  return parsed.value;
}
function flawOf(status: number, headers: IncomingMessage['headers']): VaultFlaw | undefined {
  // A token goes to the host it was meant for and to no other.
  if (status < 200 || (status >= 300 && status < 400)) return 'vault_redirect';
  if (status === 204) return undefined;
  const json = /^application\/json(?:\s*;|$)/i.test(headers['content-type'] ?? '');
  return json && headers['content-encoding'] === undefined ? undefined : 'vault_form';
}
function textOf(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new VaultFault('vault_form');
  }
}
