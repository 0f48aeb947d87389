/** The calls to Vault that are made here, through node-vault. Knows Vault's names; may not know an action. */
import type { VaultOptions } from 'node-vault';
import { isObject, type JsonObject } from '../wire/json.ts';
import type { Waiting } from '../wire/jws.ts';
import { type Sending, type TransportOptions, VaultFault, vaultTransport } from './minter-vault-transport.ts';

/** Vault answered, and it answered no: nothing was done. `status` is 400, 403, 404, 429 or their like. */
export class VaultNo extends Error {
  readonly status: number;
  constructor(status: number) {
    super('vault says no');
    this.status = status;
  }
}
/** A login: what authorizes the calls after it, and how long it lives. */
export interface VaultLogin {
  readonly token: string;
  readonly lifeSeconds: number;
}
export interface Ask {
  readonly token: string;
  /** POST with it; absent: GET. */
  readonly body?: JsonObject;
  /** Vault keeps the answer and gives a token that fetches it once. */
  readonly wrapSeconds?: number;
}
/** Every call throws VaultFault where nobody can know what was done, VaultNo where Vault refused. */
export interface VaultClient {
  login(role: string, jwt: string, waiting: Waiting): Promise<VaultLogin>;
  /** The login with the life that Vault gives it now, which may be shorter or longer than asked. */
  renew(login: VaultLogin, seconds: number, waiting: Waiting): Promise<VaultLogin>;
  /** The one secret of a login. */
  ask(path: string, ask: Ask, waiting: Waiting): Promise<JsonObject>;
  /** The login and all it made. One that is gone is gone. */
  revoke(token: string, waiting: Waiting): Promise<void>;
  /** Names below a path; none where nothing is. */
  list(path: string, token: string, waiting: Waiting): Promise<readonly string[]>;
  /** `sys/health`: no token. */
  health(waiting: Waiting): Promise<JsonObject>;
}
export interface VaultClientOptions extends TransportOptions {
  /** Of the JWT auth method. */
  readonly mount: string;
  readonly namespace?: string;
  /** One call. */
  readonly timeoutMs: number;
}

const MAX_BYTES = 64 * 1024;
/** A list of leases is as long as there are leases. */
const MAX_LIST_BYTES = 2 * 1024 * 1024;
/** Readiness is asked for often, and slow is not ready. */
const HEALTH_MS = 1_000;

export function vaultClient(options: VaultClientOptions): VaultClient {
  const { address, mount, namespace, timeoutMs } = options;
  const send = vaultTransport(options);
  // Loaded where a Vault is configured: it brings an HTTP client of its own, 18 MB that nothing here uses.
  const opening = import('node-vault').then(({ default: open }) => {
    const settings: VaultOptions = {
      endpoint: address,
      // Lists as GET: not every proxy lets the verb LIST pass.
      noCustomHTTPVerbs: true,
      // Bodies and tokens would be printed with DEBUG=node-vault.
      debug: () => undefined,
      // No path is made of a template and arguments.
      commands: {},
      'request-promise': { defaults: () => (sending: Sending) => send(sending) },
    };
    const vault = open(settings);
    // What it takes from VAULT_TOKEN, VAULT_NAMESPACE and VAULT_PREFIX when nothing is given.
    return Object.assign(vault, { token: '', namespace: '', pathPrefix: '' });
  });
  // Whoever calls meets the failure.
  opening.catch(() => undefined);

  async function call(work: (vault: Awaited<typeof opening>, sent: object) => Promise<unknown>, how: How): Promise<JsonObject> {
    const { waiting, token, wrapSeconds, ms = timeoutMs, maxBytes = MAX_BYTES, anywhere } = how;
    const headers = {
      ...(token !== undefined && { 'x-vault-token': token }),
      ...(wrapSeconds !== undefined && { 'x-vault-wrap-ttl': String(wrapSeconds) }),
      ...(namespace !== undefined && !anywhere && { 'x-vault-namespace': namespace }),
    };
    const signal = AbortSignal.any([waiting.signal, AbortSignal.timeout(ms)]);
    try {
      const said = await work(await opening, { headers, signal, maxBytes });
      return isObject(said) ? said : {};
    } catch (fault) {
      const status = statusOf(fault);
      if (status === undefined) throw fault;
      // Vault's own texts go no further: they repeat what was asked.
      throw status >= 500 || status < 400 ? new VaultFault('vault_status') : new VaultNo(status);
    }
  }
  const write = (path: string, body: JsonObject, how: How): Promise<JsonObject> =>
    call((vault, sent) => vault.write(path, body, sent), how);

  return {
    login: async (role, jwt, waiting) => loginOf(await write(`auth/${mount}/login`, { role, jwt }, { waiting })),
    renew: async ({ token }, seconds, waiting) => {
      const renewed = loginOf(await write('auth/token/renew-self', { increment: seconds }, { waiting, token }));
      if (renewed.token !== token) throw new VaultFault('vault_form');
      return renewed;
    },
    ask: async (path, { token, body, wrapSeconds }, waiting) => {
      const how = { waiting, token, ...(wrapSeconds !== undefined && { wrapSeconds }) };
      return body ? write(path, body, how) : call((vault, sent) => vault.read(path, sent), how);
    },
    async revoke(token, waiting) {
      try {
        await write('auth/token/revoke-self', {}, { waiting, token });
      } catch (fault) {
        if (!(fault instanceof VaultNo && fault.status === 403)) throw fault;
      }
    },
    async list(path, token, waiting) {
      try {
        const { data } = await call((vault, sent) => vault.list(path, sent), { waiting, token, maxBytes: MAX_LIST_BYTES });
        const keys = isObject(data) ? data['keys'] : undefined;
        if (!Array.isArray(keys) || !keys.every((key) => typeof key === 'string')) throw new VaultFault('vault_form');
        return keys;
      } catch (fault) {
        if (fault instanceof VaultNo && fault.status === 404) return [];
        throw fault;
      }
    },
    // It answers for the server, whatever the namespace.
    health: (waiting) =>
      call((vault, sent) => vault.read('sys/health', sent), { waiting, ms: Math.min(HEALTH_MS, timeoutMs), anywhere: true }),
  };
}
interface How {
  readonly waiting: Waiting;
  readonly token?: string;
  readonly wrapSeconds?: number;
  readonly ms?: number;
  readonly maxBytes?: number;
  readonly anywhere?: boolean;
}

/** What node-vault makes of an answer that is neither 200 nor 204. */
function statusOf(fault: unknown): number | undefined {
  const response = typeof fault === 'object' && fault !== null && 'response' in fault ? fault.response : undefined;
  const status = isObject(response) ? response['statusCode'] : undefined;
  return typeof status === 'number' ? status : undefined;
}
/** It becomes a header: as Vault makes them, hvs.… */
const TOKEN = /^[A-Za-z0-9._-]{8,1024}$/;
function loginOf({ auth }: JsonObject): VaultLogin {
  const token = isObject(auth) ? auth['client_token'] : undefined;
  const lifeSeconds = isObject(auth) ? auth['lease_duration'] : undefined;
  if (typeof token !== 'string' || !TOKEN.test(token) || typeof lifeSeconds !== 'number' || !Number.isSafeInteger(lifeSeconds))
    throw new VaultFault('vault_form');
  return { token, lifeSeconds };
}
