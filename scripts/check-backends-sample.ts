/** Arguments and material for a trial, made up from what is registered. Pure but for key pairs. */
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, randomUUID } from 'node:crypto';

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The least that satisfies a common schema: what is required, by its own example, default or first choice. The broker checks it again. */
export function sampleOf(schema: unknown): unknown {
  if (!isObject(schema)) return 'check';
  const { examples, enum: choices, default: given } = schema;
  if ('const' in schema) return schema['const'];
  if (given !== undefined) return given;
  for (const list of [examples, choices]) if (Array.isArray(list) && list.length > 0) return list[0];
  switch (Array.isArray(schema['type']) ? schema['type'][0] : schema['type']) {
    case 'object': {
      const properties = isObject(schema['properties']) ? schema['properties'] : {};
      const required = Array.isArray(schema['required']) ? schema['required'].map(String) : [];
      return Object.fromEntries(required.map((name) => [name, sampleOf(properties[name])]));
    }
    case 'array':
      return Array.from({ length: Number(schema['minItems'] ?? 0) }, () => sampleOf(schema['items']));
    case 'integer':
    case 'number':
      return Number(schema['minimum'] ?? 1);
    case 'boolean':
      return false;
    case 'null':
      return null;
    default:
      return schema['format'] === 'uuid' ? randomUUID() : 'check'.padEnd(Number(schema['minLength'] ?? 0), '0');
  }
}

/** What only a receiver can bring: a public key as ssh takes it, a certificate request where openssl is there. Each is tried in turn. */
export function materials(): readonly { readonly what: string; readonly material: Json }[] {
  const found = [{ what: 'a public key', material: { public_key: sshKey() } }];
  const csr = request();
  return csr === undefined ? found : [...found, { what: 'a certificate request', material: { csr } }];
}
/** RFC 4253 §6.6, RFC 8709 §4. */
function sshKey(): string {
  const raw = generateKeyPairSync('ed25519').publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
  const field = (bytes: Buffer): Buffer => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  };
  return `ssh-ed25519 ${Buffer.concat([field(Buffer.from('ssh-ed25519')), field(raw)]).toString('base64')}`;
}
function request(): string | undefined {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', '/dev/null'];
  try {
    return execFileSync('openssl', ['req', '-new', '-subj', '/CN=check', ...key], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  } catch {
    return undefined;
  }
}
