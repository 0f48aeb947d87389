/** The law of dependencies as a function of the sources, so that a planted violation can be shown to be caught. */
import { dirname, join, normalize } from 'node:path';
import ts from 'typescript';

export type Sources = ReadonlyMap<string, string>;

const words = ['model.ts', 'model-entry.ts', 'request.ts', 'errors.ts', 'store', 'wire'];
const stage = (own: string): readonly string[] => [own, ...words, 'keys', 'bundle'];
/** Each room, and all it may import: rooms, or single files of one. `app.ts` may import everything. */
export const LAW: Readonly<Record<string, readonly string[]>> = {
  'main.ts': ['main-memory.ts', 'app.ts', 'app-check.ts', 'config.ts', 'errors.ts', 'model.ts', 'world.ts', 'store'],
  'main-memory.ts': [],
  'world.ts': ['model.ts', 'errors.ts'],
  'config.ts': ['config-notify.ts', 'errors.ts', 'wire'],
  'config-notify.ts': [],
  'model-entry.ts': ['errors.ts', 'wire'],
  'model.ts': ['model-entry.ts', 'errors.ts', 'store', 'wire'],
  'request.ts': ['wire'],
  'errors.ts': ['store', 'wire'],
  wire: ['wire'],
  store: ['store', 'wire'],
  keys: ['keys', ...words],
  bundle: ['bundle', ...words],
  authenticate: stage('authenticate'),
  decide: stage('decide'),
  approve: stage('approve'),
  mint: stage('mint'),
  record: stage('record'),
  'redeem.ts': ['authenticate', 'decide', 'mint', 'record', 'bundle', ...words],
  'broker.ts': ['authenticate', 'decide', 'approve', 'mint', 'record', 'bundle', ...words],
  'plan.ts': ['authenticate', 'decide', 'approve', 'record', 'bundle', ...words],
  'settle.ts': ['settle-leases.ts', 'authenticate', 'decide', 'approve', 'mint', 'record', 'bundle', 'keys', ...words],
  'settle-departed.ts': ['record', ...words],
  'settle-feed.ts': ['settle-departed.ts', 'authenticate', 'decide', 'mint', 'record', 'bundle', 'keys', ...words],
  'settle-signals.ts': ['authenticate', 'decide', 'record', ...words],
  'settle-leases.ts': ['mint', 'record', 'keys', ...words],
  operate: [
    'operate',
    'settle.ts',
    'settle-feed.ts',
    'settle-leases.ts',
    'authenticate',
    'decide',
    'approve',
    'mint',
    'record',
    'bundle',
    'keys',
    ...words,
  ],
  http: [
    'http',
    'broker.ts',
    'redeem.ts',
    'plan.ts',
    'settle.ts',
    'settle-feed.ts',
    'settle-signals.ts',
    'operate',
    'authenticate',
    'keys',
    ...words,
  ],
  console: ['console', 'console/browser', 'http', 'operate', 'decide', 'record', 'keys', ...words],
  'console/browser': ['console/browser', 'wire/asides.ts', 'wire/canonical.ts', 'wire/signed.ts'],
  verify: ['verify', 'wire'],
  agent: ['agent', 'wire'],
};
/** The composition root may be several files that share its prefix. */
const APP = /^app(-[a-z]+)?\.ts$/;
const BACK_END = /^[a-z]+\/(store|signer|secret|minter|issuer|policy|bundle|reader|search|notifier|passkey)-[a-z0-9-]+\.ts$/;
/** Vendor packages, by who may import them. Node's built-ins are free but for `process.env`, clocks and randomness. */
const VENDORS: readonly (readonly [RegExp, readonly string[]])[] = [
  [
    /^app(-[a-z]+)?\.ts$|^main\.ts$|^http\//,
    [
      'fastify',
      '@fastify/cookie',
      '@fastify/rate-limit',
      '@fastify/swagger',
      '@fastify/under-pressure',
      'pino',
      'commander',
      'yaml',
      'zod',
    ],
  ],
  [/^config(-[a-z]+)?\.ts$/, ['zod']],
  [/^console\/[a-z-]+\.ts$/, ['fastify', '@fastify/cookie', 'htm', 'openid-client', 'preact', 'preact-render-to-string']],
  [/^console\/browser\//, ['htm', 'preact', '@simplewebauthn/browser']],
  [/^wire\//, ['jose']],
  [/^verify\/adapter-mcp\.ts$/, ['@modelcontextprotocol/server']],
  [/^verify\/adapter-mcp-v1\.ts$/, ['@modelcontextprotocol/sdk']],
  [/^verify\/adapter-fastify\.ts$/, ['fastify']],
  [/^verify\/adapter-express\.ts$/, ['express']],
  [/^verify\/|^agent\//, ['jose']],
  [/^bundle\/bundle-/, ['yaml', 'zod', 'ajv']],
  [/^approve\/passkey-/, ['@simplewebauthn/server']],
  [/^decide\/policy-/, ['@cedar-policy/cedar-wasm']],
  [/^record\/reader-/, ['pino', 'prom-client']],
  [/^store\/store-redis/, ['ioredis']],
  [/^operate\/notifier-webhook/, ['standardwebhooks']],
  [/^operate\/notifier-mail/, ['nodemailer']],
  [/^mint\/minter-[a-z]+-registration(-[a-z]+)?\.ts$/, ['zod']],
  [/^mint\/minter-vault/, ['node-vault']],
  [/^mint\/minter-aws/, ['@aws-sdk/client-sts']],
];
/** Who may read clocks and randomness: the edge; the libraries, which take `now` as an option; back ends with a clock of their own; the browser. */
const CLOCKS = /^(main|world)\.ts$|^verify\/|^agent\/|^store\/store-|^console\/browser\//;
const AMBIENT = new Set(['Date.now', 'Math.random', 'performance.now', 'process.hrtime']);
const FOLDERS = new Set(['utils', 'helpers', 'common', 'util', 'lib']);
const MAX_LINES = 300;

interface Import {
  readonly name: string;
  readonly typeOnly: boolean;
}

export function violations(sources: Sources): readonly string[] {
  const found: string[] = [];
  const graph = new Map<string, readonly string[]>();
  for (const [file, text] of sources) {
    const tree = ts.createSourceFile(file, text, ts.ScriptTarget.ESNext, true);
    const imports = importsOf(tree);
    const local = imports.filter((i) => i.name.startsWith('.')).map((i) => ({ ...i, target: normalize(join(dirname(file), i.name)) }));
    graph.set(
      file,
      local.map((i) => i.target),
    );
    const room = roomOf(file);
    const law = LAW[room];
    if (!law && !APP.test(file)) found.push(`${file}: no law for this room`);
    for (const { target } of local) {
      if (target.startsWith('..')) found.push(`${file}: imports from outside src (${target})`);
      if (APP.test(file)) {
        if (target === 'main.ts') found.push(`${file}: may not import ${target}`);
        continue;
      }
      if (law && !law.includes(roomOf(target)) && !law.includes(target)) found.push(`${file}: may not import ${target}`);
      if (BACK_END.test(target) && !sharesPrefix(file, target)) found.push(`${file}: back end ${target} is for app.ts alone`);
    }
    for (const { name, typeOnly } of imports) {
      if (name.startsWith('.') || name.startsWith('node:') || (typeOnly && APP.test(file))) continue;
      if (!VENDORS.some(([where, packages]) => where.test(file) && packages.some((p) => name === p || name.startsWith(`${p}/`)))) {
        found.push(`${file}: vendor package ${name} does not belong here`);
      }
    }
    found.push(...habits(file, text, tree));
  }
  for (const room of new Set([...sources.keys()].filter((f) => f.includes('/')).map((f) => f.split('/')[0] ?? ''))) {
    if (FOLDERS.has(room)) found.push(`${room}: no folder of this name`);
  }
  return [...found, ...cycles(graph)];
}

/** The browser's half of the console is a room of its own. */
const roomOf = (file: string): string => (file.startsWith('console/browser/') ? 'console/browser' : (file.split('/')[0] ?? file));

function habits(file: string, text: string, tree: ts.SourceFile): readonly string[] {
  const found: string[] = [];
  const lines = text.split('\n').length - 1;
  if (lines > MAX_LINES) found.push(`${file}: ${lines} lines`);
  if (/@ts-(ignore|expect-error|nocheck)|biome-ignore/.test(text)) found.push(`${file}: escapes a checker`);
  const visit = (node: ts.Node): void => {
    if (node.kind === ts.SyntaxKind.AnyKeyword) found.push(`${file}: any`);
    if (ts.isExportAssignment(node) || hasDefault(node)) found.push(`${file}: default export`);
    if (ts.isPropertyAccessExpression(node)) {
      const name = `${node.expression.getText(tree)}.${node.name.text}`;
      if (name === 'process.env' && file !== 'main.ts') found.push(`${file}: process.env is read in main.ts`);
      if (AMBIENT.has(name) && !CLOCKS.test(file)) found.push(`${file}: ${name} is the World's`);
    }
    if (ts.isNewExpression(node) && node.expression.getText(tree) === 'Date' && !node.arguments?.length && !CLOCKS.test(file)) {
      found.push(`${file}: new Date() is the World's`);
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return found;
}
const hasDefault = (node: ts.Node): boolean =>
  ts.canHaveModifiers(node) && (ts.getModifiers(node) ?? []).some((m) => m.kind === ts.SyntaxKind.DefaultKeyword);

function importsOf(tree: ts.SourceFile): readonly Import[] {
  const found: Import[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
      found.push({ name: node.moduleSpecifier.text, typeOnly: node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword });
    } else if (ts.isExportDeclaration(node) && node.moduleSpecifier && ts.isStringLiteral(node.moduleSpecifier)) {
      found.push({ name: node.moduleSpecifier.text, typeOnly: node.isTypeOnly });
    } else if (
      ts.isCallExpression(node) &&
      node.expression.kind === ts.SyntaxKind.ImportKeyword &&
      node.arguments[0] &&
      ts.isStringLiteral(node.arguments[0])
    ) {
      found.push({ name: node.arguments[0].text, typeOnly: false });
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return found;
}

/** A back end may be several files that share its prefix: `store-sqlite.ts`, `store-sqlite-worker.ts`. */
function sharesPrefix(file: string, target: string): boolean {
  const prefix = (path: string): string => path.replace('.ts', '').split('-').slice(0, 2).join('-');
  return BACK_END.test(file) && prefix(file) === prefix(target);
}

function cycles(graph: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const state = new Map<string, 'open' | 'done'>();
  const found: string[] = [];
  const walk = (file: string, path: readonly string[]): void => {
    if (state.get(file) === 'done') return;
    if (state.get(file) === 'open') {
      found.push(`cycle: ${[...path.slice(path.indexOf(file)), file].join(' → ')}`);
      return;
    }
    state.set(file, 'open');
    for (const next of graph.get(file) ?? []) walk(next, [...path, file]);
    state.set(file, 'done');
  };
  for (const file of graph.keys()) walk(file, []);
  return found;
}
