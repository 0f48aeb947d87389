/** What a tool's registration may say of Vault. Everything is fixed here: no argument, name or text of a request reaches path, role or names. */
import { z } from 'zod';
import type { ReadRegistration } from '../bundle/bundle.ts';
import { no, ok } from '../wire/result.ts';

/** What may stand between two slashes of a path to Vault: nothing that anybody on the way could normalise, decode or complete. */
const SEGMENT = '[A-Za-z0-9_-]{1,128}';
export const VAULT_PATH: RegExp = new RegExp(`^${SEGMENT}(?:/${SEGMENT}){0,15}$`);

const role = z.string().regex(new RegExp(`^${SEGMENT}$`), 'must be one path segment of letters, digits, _ and -');
/** Vault's own: what is read there is no tool's credential. */
const OWN = /^(?:sys|auth|identity|cubbyhole)(?:\/|$)/;
const path = (form: RegExp, like: string) =>
  z
    .string()
    .max(512)
    .regex(VAULT_PATH, 'must be path segments of letters, digits, _ and -, with one slash between')
    .refine((text) => !OWN.test(text), 'must not be below sys, auth, identity or cubbyhole')
    .refine((text) => form.test(text), `must be such as ${like}`);

/** RFC 1123 §2.1: no wildcard, no dot at the end. */
const label = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';
const host = z
  .string()
  .max(253)
  .regex(new RegExp(`^${label}(?:\\.${label})*$`), 'must be a host name in lower case, without a wildcard');
const principal = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/, 'must be one name, without a wildcard or comma');

/** The role of the JWT auth method that logs in; its policy allows `path` and nothing else. */
const login = { role };
const wrap = z.boolean().default(false);
const settings = z.discriminatedUnion('form', [
  z.strictObject({ form: z.literal('database'), ...login, path: path(/\/creds\/[^/]+$/, 'database/creds/refund-writer'), wrap }),
  /** Any other engine that leases what it makes. */
  z.strictObject({ form: z.literal('read'), ...login, path: path(/\//, 'rabbitmq/creds/reader'), wrap }),
  /** Version 2. What is read lives on: Vault takes back the right to read it, and no more. */
  z.strictObject({ form: z.literal('kv'), ...login, path: path(/\/data\/./, 'secret/data/shop/api'), wrap }),
  /** The receiver brings its certificate request; every name in the certificate stands here. */
  z.strictObject({
    form: z.literal('pki'),
    ...login,
    path: path(/.\/sign\/[^/]+$/, 'pki/sign/shop'),
    commonName: host.refine((text) => text.length <= 64, 'must have at most 64 letters'), // RFC 5280 appendix A.1, ub-common-name
    hosts: z.array(host).max(16).default([]),
  }),
  /** The receiver brings its public key. */
  z.strictObject({
    form: z.literal('ssh'),
    ...login,
    path: path(/.\/sign\/[^/]+$/, 'ssh/sign/deploy'),
    principals: z.array(principal).min(1).max(16),
    extensions: z
      .array(z.string().regex(/^permit-[a-z0-9-]{1,32}$/i, 'must be such as permit-pty'))
      .max(8)
      .default([]),
    forceCommand: z
      .string()
      .regex(/^[\x20-\x7e]{1,512}$/)
      .optional(),
    sourceAddresses: z
      .array(z.union([z.cidrv4(), z.cidrv6()], 'must be a network such as 10.0.0.0/8'))
      .min(1)
      .max(16)
      .optional(),
  }),
]);
export type VaultSettings = z.output<typeof settings>;
export type VaultForm = VaultSettings['form'];

/** Reads `credentials.vault` of a tool. `where` is the path: whoever reads there shares its cap. */
export const readVaultRegistration: ReadRegistration = (given) => {
  const read = settings.safeParse(given);
  if (!read.success) return no(read.error.issues.flatMap(said));
  const standing = read.data.form === 'kv' && { standing: true as const };
  return ok({ where: `vault/${read.data.path}`, settings: Object.freeze(read.data), ...standing });
};
function said(issue: z.core.$ZodIssue): readonly string[] {
  const at = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => `${key}: unknown setting of this form`);
  if (issue.code === 'invalid_union' && at === 'form') return ['form: must be database, read, kv, pki or ssh'];
  return [`${at}: ${issue.message}`];
}
