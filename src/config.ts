/** One strict schema: complete or refused. Every problem is reported at once, with its path and never with its value. */
import { z } from 'zod';
import { approvalsSchema, notifyProblems, notifySchema } from './config-notify.ts';
import { ConfigError } from './errors.ts';

const isLoopback = (host: string): boolean => host === 'localhost' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);
const secureUrl = z
  .url()
  .refine((text) => {
    const url = URL.parse(text);
    return (
      url !== null &&
      (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname))) &&
      !url.search &&
      !url.hash &&
      !url.username
    );
  }, 'must be https (http on loopback alone), without query, fragment or user')
  .refine((text) => !text.endsWith('/'), 'must not end in a slash');
const shortId = z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, 'must be lower-case letters, digits and dashes');
const port = z.int().min(0).max(65535);

/** A secret stands in a file or in the environment, never in this document. */
const secretRef = z
  .union([z.strictObject({ file: z.string().min(1) }), z.strictObject({ env: z.string().regex(/^[A-Z][A-Z0-9_]*$/) })])
  .describe('Where a secret is read from');

const issuer = z.discriminatedUnion('use', [
  z.strictObject({
    use: z.literal('oidc'),
    id: shortId.describe('First half of its principals’ names: <id>:<sub>'),
    issuer: secureUrl.describe('The `iss` of its tokens, to the letter'),
    jwksUri: secureUrl.optional().describe('Where its keys are; found by discovery when absent'),
    vouches: z
      .array(z.enum(['person', 'service', 'agent']))
      .min(1)
      .describe('What its tokens may name'),
    clients: z.record(z.string(), z.string().min(1)).default({}).describe('The client id there of each agent here'),
    servers: z.array(z.string()).optional().describe('Tool servers its people reach, by id; absent: all'),
    attributes: z.record(z.string(), z.string()).default({}).describe('Cedar attribute ← claim'),
    accessTokenTyp: z.string().default('at+jwt').describe('`typ` of its access tokens, where it is not RFC 9068’s'),
    maxLifetimeSeconds: z.int().min(60).max(86_400).default(3600),
  }),
]);

const values = z.array(z.string().min(1).max(256)).default([]);
const consolePages = z.strictObject({
  login: z
    .strictObject({
      issuer: shortId.describe('Who logs people in: a configured issuer that vouches for people, by id'),
      clientId: z.string().min(1).describe('The console’s client id there; its redirect address is <our issuer>/console/callback'),
      clientSecret: secretRef.optional().describe('Absent: a public client, by PKCE alone'),
      scopes: z.string().min(1).default('openid profile email'),
      logout: z
        .enum(['issuer', 'here'])
        .default('issuer')
        .describe(
          'Whoever logs out here: `issuer` leads them on to end the login there too, if it says where (end_session_endpoint; <our issuer>/console is their way back, to be registered there). `here` does not',
        ),
      roles: z.strictObject({
        claim: z.string().min(1).default('groups').describe('The id_token’s claim that roles come from'),
        viewer: values.describe('Whoever has one of these values is a viewer'),
        approver: values,
        operator: values,
        auditor: values,
      }),
      teams: z
        .strictObject({ claim: z.string().min(1).default('groups').describe('Each of its values is a team: team:<value>') })
        .prefault({}),
    })
    .optional()
    .describe('Absent: one-time links of the operator alone'),
  sessionSeconds: z
    .int()
    .min(60)
    .max(12 * 3600)
    .default(8 * 3600)
    .describe('A login ends at the latest so long after it began'),
  idleSeconds: z.int().min(60).max(7200).default(1800).describe('And so long after it was last used'),
  index: z.string().min(1).optional().describe('File of the ledger’s index; absent: beside the store’s, with Redis in memory'),
});

const timeoutMs = z.int().min(50).max(10_000).default(2_000).describe('One call to it');
const backEnd = z.discriminatedUnion('use', [
  z.strictObject({
    use: z.literal('vault'),
    address: secureUrl,
    audience: z.string().min(1).default('vault').describe('`aud` of our logins: the role’s bound_audiences'),
    mount: z
      .string()
      .regex(/^[a-z0-9][a-z0-9_-]{0,63}$/, 'must be one path segment')
      .default('jwt')
      .describe('Where its JWT auth method is mounted'),
    namespace: z
      .string()
      .regex(/^[A-Za-z0-9_-]{1,128}(\/[A-Za-z0-9_-]{1,128})*$/, 'must be path segments')
      .optional(),
    ca: z.string().min(1).optional().describe('PEM file of who vouches for its certificate, in place of the public authorities'),
    sweep: z
      .strictObject({ role: z.string().regex(/^[A-Za-z0-9_-]{1,128}$/, 'must be one path segment') })
      .optional()
      .describe(
        'The login role that may list and end leases: then what a dead broker left ends at once. Its paths must be this broker’s alone',
      ),
    timeoutMs,
  }),
  z.strictObject({
    use: z.literal('aws'),
    region: z.string().regex(/^[a-z0-9-]{2,32}$/),
    endpoint: secureUrl.optional().describe('Of another STS than AWS’s'),
    audience: z.string().min(1).default('sts.amazonaws.com').describe('`aud` of our logins: the client id of the identity provider there'),
    algorithm: z.enum(['ES256', 'RS256']).default('ES256').describe('What it takes logins in'),
    via: z.enum(['web-identity', 'assume-role']).default('web-identity').describe('By a login for each action, or by keys that stand'),
    keys: z
      .union([
        z.literal('default-chain'),
        z.strictObject({ accessKeyId: secretRef, secretAccessKey: secretRef, sessionToken: secretRef.optional() }),
      ])
      .optional()
      .describe('For assume-role: where its keys stand, or whatever an AWS SDK finds on this machine'),
    minSessionSeconds: z.int().min(1).max(3600).default(900).describe('The shortest session its STS gives'),
    timeoutMs,
  }),
]);

const address = z.strictObject({ host: z.string().min(1), port });
const store = z.discriminatedUnion('use', [
  z.strictObject({ use: z.literal('sqlite'), path: z.string() }),
  z.strictObject({
    use: z.literal('redis'),
    url: z
      .url()
      .refine((text) => /^rediss?:\/\/[^/@?#]+(\/\d{1,3})?$/.test(text), 'must be redis:// or rediss://, host, port and number alone')
      .optional()
      .describe('One server, or the address that leads to the one that is master'),
    sentinels: z.array(address).min(1).optional().describe('They know which server is the master'),
    master: z.string().min(1).optional().describe('What the Sentinels call it'),
    nodes: z.array(address).min(1).optional().describe('Some of a Cluster'),
    name: shortId.default('countersign').describe('Stores of several names share a server; brokers of one name share a store'),
    username: z.string().min(1).optional(),
    password: secretRef.optional(),
    sentinelPassword: secretRef.optional(),
    tls: z
      .union([
        z.literal('none'),
        z.strictObject({ ca: z.string().min(1).optional().describe('PEM file of who vouches for its certificate') }),
      ])
      .optional()
      .describe('`none` is said by name: who is between can grant himself everything. Without it loopback alone goes without'),
    persistence: z
      .enum(['always', 'everysec', 'none'])
      .default('always')
      .describe('What the server must keep of what it answered for; after a restart of a weaker one everything issued before is void'),
    replicas: z.int().min(0).max(10).optional().describe('So many must have a commit before it is answered; 1 with Sentinels or a Cluster'),
    timeoutMs: z.int().min(50).max(10_000).default(1_000).describe('One answer'),
  }),
]);

const limit = (requests: number, seconds: number) =>
  z
    .union([z.literal('none'), z.strictObject({ requests: z.int().min(1).max(10_000_000), seconds: z.int().min(1).max(3600) })])
    .default({ requests, seconds });
const limits = z.strictObject({
  perAddress: limit(3_000, 10).describe('Requests from one address (IPv6: one /64), at all brokers of the store; beyond it 429'),
  perAgent: limit(600, 10).describe('What one agent may ask for, at all brokers of the store; beyond it 429'),
  refusals: limit(60, 60).describe(
    'Refusals before anybody has proved who they are, from one address, that have a ledger entry each; beyond it one entry tells of many',
  ),
  pressureMs: z
    .union([z.literal('none'), z.int().min(20).max(10_000)])
    .default(500)
    .describe('So late as the event loop is on average, or blocked for half a second, nothing more is begun: 503'),
});

export const ConfigSchema = z.strictObject({
  issuer: secureUrl.describe('This broker’s identifier: the `iss` of its tokens and the `aud` of what is shown to it'),
  listen: z.strictObject({ host: z.string().default('127.0.0.1'), port: port.default(8080) }).prefault({}),
  proxies: z
    .array(z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()]))
    .default([])
    .describe('Whose X-Forwarded-For says where a request came from; none: the connection does'),
  limits: limits.prefault({}),
  policies: z.string().describe('Folder of the bundle'),
  store,
  keys: z.discriminatedUnion('use', [
    z.strictObject({
      use: z.literal('local'),
      secret: secretRef,
      algorithms: z
        .array(z.enum(['ES256', 'RS256']))
        .min(1)
        .default(['ES256', 'RS256']),
      maxAgeSeconds: z
        .int()
        .min(30)
        .max(3600)
        .default(300)
        .describe('How long verifiers may keep /jwks; a new key waits as long before it signs'),
    }),
  ]),
  operator: z.strictObject({ socket: z.string().describe('Unix socket, 0600: who may open it is the operator') }),
  issuers: z.array(issuer).default([]),
  signals: z
    .array(
      z.strictObject({
        issuer: secureUrl.describe('The `iss` of its security event tokens'),
        jwksUri: secureUrl,
        audience: z.string().min(1).describe('Their `aud`'),
        for: shortId.describe('The issuer of whose people it speaks, by id'),
      }),
    )
    .default([])
    .describe('Who may push shared signals to /events (RFC 8935): they halt a subject until a person undoes it'),
  backends: z.array(backEnd).default([]).describe('Where credentials for tools come from; one of a kind'),
  console: consolePages.optional().describe('The web pages at /console; absent: there are none, and no operator API on this address'),
  notify: notifySchema({ id: shortId, secretRef }),
  approvals: approvalsSchema.prefault({}),
  metrics: z.enum(['public', 'operator']).default('operator').describe('/metrics on the public address, or on the operator socket alone'),
  actors: z.int().min(1).max(8).default(3).describe('Longest chain of agents behind one token'),
  deadlineMs: z.int().min(100).max(60_000).default(5_000).describe('One exchange, from first byte read to answer'),
  log: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'silent']).default('info'),
});
export type Config = Readonly<z.output<typeof ConfigSchema>>;
export type ConfigInput = z.input<typeof ConfigSchema>;

/** Errors: ConfigError with every problem as `path: what`. */
export function parseConfig(value: unknown): Config {
  const parsed = ConfigSchema.safeParse(value);
  const problems = parsed.success ? contradictions(parsed.data) : parsed.error.issues.flatMap(problem);
  if (!parsed.success || problems.length > 0) throw new ConfigError(problems);
  return Object.freeze(parsed.data);
}
/** For editors: `# yaml-language-server: $schema=…`. */
export const configJsonSchema = (): object => z.toJSONSchema(ConfigSchema, { io: 'input', target: 'draft-2020-12' });

function contradictions(config: Config): readonly string[] {
  const problems: string[] = [];
  const ids = config.issuers.map((i) => i.id);
  const kinds = config.backends.map((b) => b.use);
  for (const [index, kind] of kinds.entries()) if (kinds.indexOf(kind) !== index) problems.push(`backends.${index}.use: stands twice`);
  for (const [index, end] of config.backends.entries()) {
    if (end.use !== 'aws') continue;
    if ((end.via === 'assume-role') !== (end.keys !== undefined))
      problems.push(`backends.${index}.keys: stand with via: assume-role alone`);
    if (!config.keys.algorithms.includes(end.algorithm)) problems.push(`backends.${index}.algorithm: keys.algorithms has no such keys`);
  }
  problems.push(...storeProblems(config.store));
  problems.push(...notifyProblems(config.notify));
  const transmitters = config.signals.map((s) => s.issuer);
  for (const [index, signal] of config.signals.entries()) {
    if (!ids.includes(signal.for)) problems.push(`signals.${index}.for: there is no such issuer`);
    if (transmitters.indexOf(signal.issuer) !== index) problems.push(`signals.${index}.issuer: stands twice`);
  }
  const login = config.console?.login;
  if (login && !config.issuers.some(({ id, vouches }) => id === login.issuer && vouches.includes('person')))
    problems.push('console.login.issuer: there is no such issuer of people');
  if (login && !login.scopes.split(' ').includes('openid')) problems.push('console.login.scopes: openid is missing');
  if (ids.includes('local')) problems.push(`issuers.${ids.indexOf('local')}.id: is the name of this machine’s own users`);
  const urls = config.issuers.map((i) => i.issuer);
  for (const [index, id] of ids.entries()) if (ids.indexOf(id) !== index) problems.push(`issuers.${index}.id: stands twice`);
  for (const [index, url] of urls.entries()) {
    if (urls.indexOf(url) !== index) problems.push(`issuers.${index}.issuer: stands twice`);
    if (url === config.issuer) problems.push(`issuers.${index}.issuer: this broker cannot vouch for its own subjects`);
  }
  return problems;
}
function storeProblems(of: Config['store']): readonly string[] {
  if (of.use !== 'redis') return [];
  const problems: string[] = [];
  if ([of.url, of.sentinels, of.nodes].filter((place) => place !== undefined).length !== 1)
    problems.push('store: one of url, sentinels and nodes says where it is');
  if ((of.sentinels === undefined) !== (of.master === undefined)) problems.push('store.master: stands with sentinels alone');
  const hosts = of.url ? [URL.parse(of.url)?.hostname ?? ''] : [...(of.sentinels ?? []), ...(of.nodes ?? [])].map(({ host }) => host);
  if (of.tls === undefined && !of.url?.startsWith('rediss:') && !hosts.every(isLoopback))
    problems.push('store.tls: must stand, or `none` by name, where the server is not on loopback');
  if (of.tls === 'none' && of.url?.startsWith('rediss:')) problems.push('store.tls: contradicts the url');
  return problems;
}
function problem(issue: z.core.$ZodIssue): readonly string[] {
  const path = issue.path.map(String).join('.') || '(top)';
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => `${path === '(top)' ? '' : `${path}.`}${key}: unknown setting`);
  if (issue.code === 'invalid_key') return [`${path}: ${issue.issues[0]?.message ?? issue.message}`];
  return [`${path}: ${issue.message}`];
}
