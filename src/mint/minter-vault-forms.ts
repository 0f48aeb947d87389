/** What each form asks of Vault, and how what comes back is read. Whatever lives longer than it may, or names what it may not, is not handed out. */
import { type Result, refuse } from '../errors.ts';
import { isObject, type Json, type JsonObject } from '../wire/json.ts';
import { ok } from '../wire/result.ts';
import { readSshCertificate, readSshKey, readX509 } from './minter-vault-certificates.ts';
import type { VaultSettings } from './minter-vault-registration.ts';
import { VaultFault } from './minter-vault-transport.ts';

export interface Form {
  /** What is posted, for a life of so many seconds; absent: it is read. */
  readonly body?: (seconds: number) => JsonObject;
  readonly wrap: boolean;
  /** What is handed out works on when its login has gone, until its own end. */
  readonly lives: boolean;
  /** Throws VaultFault. */
  read(answer: JsonObject): Made;
}
export interface Made {
  /** What the receiver gets. */
  readonly data: JsonObject;
  /** The lease's own life, and the name Vault lists it by. */
  readonly lease?: { readonly id: string; readonly seconds: number };
  /** Epoch seconds, where it says itself when it ends. */
  readonly end?: number;
}

/** Errors: `request_malformed` where the receiver brought not just what this form needs. */
export function toForm(settings: VaultSettings, material: JsonObject = {}): Result<Form> {
  switch (settings.form) {
    case 'database':
    case 'read':
    case 'kv': {
      if (Object.keys(material).length > 0) return refuse('request_malformed', { detail: 'material' });
      const { form, path, wrap } = settings;
      const bare = form === 'kv' ? readValue : (answer: JsonObject) => readLeased(answer, path);
      return ok({ wrap, lives: form === 'kv', read: wrap ? (answer) => readWrapped(answer, path) : bare });
    }
    case 'pki':
      return certificate(settings, material);
    case 'ssh':
      return sshCertificate(settings, material);
    default:
      return settings satisfies never;
  }
}

const fault = (): never => {
  throw new VaultFault('vault_form');
};
const textOf = (value: Json | undefined): string => (typeof value === 'string' && value !== '' ? value : fault());
const dataOf = ({ data }: JsonObject): JsonObject => (isObject(data) ? data : fault());
const secondsOf = (value: Json | undefined): number => (typeof value === 'number' && Number.isSafeInteger(value) ? value : fault());

function readLeased(answer: JsonObject, path: string): Made {
  const data = dataOf(answer);
  const id = answer['lease_id'];
  const seconds = secondsOf(answer['lease_duration']);
  // Without a lease Vault does not end it: it stood before, and goes on standing.
  if (id === '') throw new VaultFault('vault_lifetime');
  if (!textOf(id).startsWith(`${path}/`)) fault();
  return { data, lease: { id: textOf(id), seconds } };
}
/** Version 2 of the key-value engine: the value stands in `data.data`; a deleted one is null. */
const readValue = (answer: JsonObject): Made => ({ data: dataOf(dataOf(answer)) });

function readWrapped({ wrap_info: wrapped }: JsonObject, path: string): Made {
  if (!isObject(wrapped)) return fault();
  const { token, ttl, creation_time, creation_path } = wrapped;
  // A wrapping token that somebody else has made, over something else, looks the same but for its path.
  if (creation_path !== path) fault();
  return { data: { wrap_info: { token: textOf(token), ttl: secondsOf(ttl), creation_time: textOf(creation_time), creation_path: path } } };
}

const REQUEST =
  /^-----BEGIN CERTIFICATE REQUEST-----\r?\n(?:[A-Za-z0-9+/]{1,76}\r?\n){1,150}[A-Za-z0-9+/]{0,76}={0,2}\r?\n?-----END CERTIFICATE REQUEST-----\s*$/;
function certificate(settings: VaultSettings & { readonly form: 'pki' }, { csr, ...rest }: JsonObject): Result<Form> {
  if (typeof csr !== 'string' || !REQUEST.test(csr) || Object.keys(rest).length > 0)
    return refuse('request_malformed', { detail: 'material' });
  const { commonName, hosts } = settings;
  const allowed = new Set([commonName, ...hosts]);
  return ok({
    wrap: false,
    lives: true,
    body: (seconds) => ({ csr, common_name: commonName, alt_names: hosts.join(','), ttl: `${seconds}s`, format: 'pem' }),
    read(answer) {
      const data = dataOf(answer);
      const said = readX509(textOf(data['certificate']));
      // A role may take names from the request in place of ours (`use_csr_common_name`, `use_csr_sans`): such a certificate is not handed out.
      if (!said || said.commonName !== commonName || !said.names.every((name) => allowed.has(name))) return fault();
      return { data, end: said.end };
    },
  });
}

function sshCertificate(settings: VaultSettings & { readonly form: 'ssh' }, { public_key, ...rest }: JsonObject): Result<Form> {
  const key = typeof public_key === 'string' ? readSshKey(public_key) : undefined;
  if (key === undefined || Object.keys(rest).length > 0) return refuse('request_malformed', { detail: 'material' });
  const { principals, extensions, forceCommand, sourceAddresses } = settings;
  const critical: Record<string, string> = {
    ...(forceCommand !== undefined && { 'force-command': forceCommand }),
    ...(sourceAddresses && { 'source-address': sourceAddresses.join(',') }),
  };
  return ok({
    wrap: false,
    lives: true,
    body: (seconds) => ({
      public_key: key,
      cert_type: 'user',
      valid_principals: principals.join(','),
      extensions: Object.fromEntries(extensions.map((name) => [name, ''])),
      critical_options: critical,
      ttl: `${seconds}s`,
    }),
    read(answer) {
      const data = dataOf(answer);
      const said = readSshCertificate(textOf(data['signed_key']), key);
      // No principal at all is every principal (PROTOCOL.certkeys); a role's defaults may add what is not registered.
      const held =
        said &&
        said.names.length > 0 &&
        said.names.every((name) => principals.includes(name)) &&
        said.extensions.every((name) => extensions.includes(name)) &&
        Object.entries(critical).every(([name, value]) => said.critical.get(name) === value);
      return held ? { data, end: said.end } : fault();
    },
  });
}
