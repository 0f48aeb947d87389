import { z } from 'zod';
import { TOOL_NAME } from '../wire/details.ts';
import type { JsonObject } from '../wire/json.ts';
import { compileArguments } from './bundle-folder-arguments.ts';
import { readYaml } from './bundle-folder-yaml.ts';
import type { AgentsFile, BudgetsFile, CredentialEntry, Formats, IdentityEntry, ServerFile } from './formats.ts';

const text = z.string().trim().min(1, 'must not be empty').max(1_000);
/** `<issuer id>:<sub>`, as a minted token names a principal (wire.md §2). */
const principal = z.string().regex(/^[a-z][a-z0-9-]{0,31}:\S{1,255}$/, 'must be <issuer id>:<sub>, such as people:u_alice');
const json = z.custom<JsonObject>((value) => typeof value === 'object' && value !== null && !Array.isArray(value), 'must be a mapping');
const date = z.iso.date('must be a date such as 2027-06-30');

const identity: z.ZodType<IdentityEntry> = z.union(
  [z.strictObject({ jwks: json }), z.strictObject({ issuer: z.url('must be an issuer URL'), subject: z.string().min(1).max(255) })],
  'must be either jwks: {keys: […]} or issuer and subject, and nothing else',
);

const agentsFile: z.ZodType<AgentsFile> = z.strictObject({
  people: z.array(z.strictObject({ id: principal, name: text })),
  agents: z.array(
    z.strictObject({
      id: z.string().regex(/^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$/, 'must be lower-case letters, digits and dashes'),
      name: text,
      owner: principal,
      sponsor: text.optional(),
      purpose: text,
      review: date,
      suspended: z.boolean().default(false),
      identity,
      limits: z.strictObject({ maxTtlSeconds: z.int().min(5).max(300).optional() }).default({}),
    }),
  ),
});

const resource = z.string().superRefine((uri, context) => {
  const url = URL.parse(uri);
  const flaw =
    url === null || !/^https?:\/\//.test(uri)
      ? 'must be an absolute http(s) URI'
      : uri.includes('#') || uri.includes('?') || url.username !== '' || url.password !== ''
        ? 'must have no query, fragment or user' // RFC 8707 §2
        : undefined;
  if (flaw) context.addIssue({ code: 'custom', message: flaw });
});
/** Outstanding at most, where a registration does not say: thousands of leases take a Vault down. */
const CAP = 100;
const credential: z.ZodType<CredentialEntry> = z
  .looseObject({
    deliver: z.enum(['tool-server', 'agent']).default('tool-server'),
    cap: z.int().min(1).max(100_000).default(CAP),
    ttlSeconds: z.int().min(5).max(300).optional(),
  })
  .transform(({ deliver, cap, ttlSeconds, ...settings }) => ({ deliver, cap, ttlSeconds, settings: settings as JsonObject }));
const serverFile: z.ZodType<ServerFile> = z.strictObject({
  id: z.string().regex(/^[a-z][a-z0-9_]{0,31}$/, 'must be lower-case letters, digits and underscores: it is a Cedar namespace'),
  name: text,
  resource,
  identity: identity.optional(),
  tools: z
    .record(
      z.string().regex(TOOL_NAME, 'must be letters, digits, _ . or -'),
      z.strictObject({
        description: text,
        input: json,
        recordable: z.array(z.string()).default([]),
        arguments: z.enum(['visible', 'hidden']).default('visible'),
        credentials: z.record(z.string().regex(/^[a-z][a-z0-9-]{0,15}$/, 'must be the name of a kind'), credential).default({}),
      }),
    )
    .refine((tools) => Object.keys(tools).length > 0, 'must name at least one tool'),
});

const AGENT_KEYS = 'people agents id name owner sponsor purpose review suspended identity jwks issuer subject limits maxTtlSeconds'.split(
  ' ',
);
const SERVER_KEYS =
  'id name resource identity jwks issuer subject tools description input recordable arguments credentials deliver cap ttlSeconds'.split(
    ' ',
  );

/** `24h`, `90m`, `7d`. */
const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };
const window = z
  .string()
  .regex(/^[1-9]\d{0,5}[smhd]$/, 'must be a whole number and s, m, h or d, such as 24h')
  .transform((span) => Number(span.slice(0, -1)) * (UNITS[span.slice(-1)] ?? 0))
  .refine((seconds) => seconds >= 60 && seconds <= 31 * 86_400, 'must be between a minute and 31 days');
const budgetsFile = z
  .strictObject({
    budgets: z
      .array(
        z.strictObject({
          // A policy reads it as an attribute's name.
          id: z.string().regex(/^[a-z][a-z0-9_]{0,63}$/, 'must be lower-case letters, digits and underscores'),
          title: text,
          on: z.strictObject({ server: z.string(), tool: z.string().optional() }),
          per: z
            .array(z.enum(['agent', 'subject', 'owner', 'tool', 'server']))
            .min(1, 'must say whose it is')
            .refine((all) => new Set(all).size === all.length, 'must name each once'),
          sum: z.string().optional(),
          where: z.record(z.string(), z.union([z.string(), z.int(), z.boolean()])).default({}),
          limit: z.int().min(1).max(Number.MAX_SAFE_INTEGER),
          window,
        }),
      )
      .max(1_000),
  })
  .transform(
    ({ budgets }): BudgetsFile => ({ budgets: budgets.map(({ window: windowSeconds, ...rest }) => ({ ...rest, windowSeconds })) }),
  );
const BUDGET_KEYS = 'budgets id title on server tool per sum where limit window'.split(' ');

/** The bundle's languages: YAML 1.2 and JSON Schema 2020-12. */
export const formats: Formats = {
  agents: (file, content) => readYaml(file, content, agentsFile, AGENT_KEYS),
  server: (file, content) => readYaml(file, content, serverFile, SERVER_KEYS),
  budgets: (file, content) => readYaml(file, content, budgetsFile, BUDGET_KEYS),
  schema: compileArguments,
};
