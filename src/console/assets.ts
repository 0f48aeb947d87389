/** What the browser is given: the modules and style sheets of `browser/`, what they share with the broker, and the few packages they stand on, under addresses of ours. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Asset {
  readonly type: string;
  readonly body: Buffer;
  readonly etag: string;
}
export interface Assets {
  /** By its path below /console/assets/. */
  get(path: string): Asset | undefined;
  /** Style sheets, in order. */
  readonly sheets: readonly string[];
  /** The name a module has here: `.ts` in the repository, `.js` once it is built. */
  module(name: string): string;
}
const TYPES: Readonly<Record<string, string>> = {
  ts: 'text/javascript; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml; charset=utf-8',
};
/** Packages that modules name, and where they stand here. No import map: it would be an inline script. */
const VENDORS = [
  ['preact', 'vendor/preact.js'],
  ['preact/hooks', 'vendor/hooks.js'],
  ['htm', 'vendor/htm.js'],
  ['htm/preact', 'vendor/html.js'],
] as const;
/** Of what both ends agree on, that which a page needs: without a name of Node's, or of a package. */
const SHARED = ['asides', 'canonical', 'signed'] as const;
const PASSKEYS = { name: '@simplewebauthn/browser', folder: 'vendor/passkeys' } as const;

/** Reads everything once. */
export function readAssets(): Assets {
  const folder = fileURLToPath(new URL('./browser/', import.meta.url));
  const names = readdirSync(folder).filter((name) => /\.(ts|js|css|svg)$/.test(name) && !name.endsWith('.d.ts'));
  const all = new Map<string, Asset>();
  for (const name of names) {
    const text = readFileSync(join(folder, name), 'utf8');
    all.set(name, asset(name, name.endsWith('.ts') ? linked(strip(text), './') : name.endsWith('.js') ? linked(text, './') : text));
  }
  const ending = names.includes('main.ts') ? 'ts' : 'js';
  for (const name of SHARED) {
    const text = readFileSync(join(folder, '../../wire', `${name}.${ending}`), 'utf8');
    all.set(`wire/${name}.${ending}`, asset(`${name}.${ending}`, ending === 'ts' ? strip(text) : text));
  }
  for (const [name, path] of VENDORS)
    all.set(path, asset(path, linked(readFileSync(fileURLToPath(import.meta.resolve(name)), 'utf8'), '../')));
  // Relative imports with their endings throughout: served as they are.
  const esm = fileURLToPath(new URL('.', import.meta.resolve(PASSKEYS.name)));
  for (const file of readdirSync(esm, { recursive: true, encoding: 'utf8' }))
    if (file.endsWith('.js')) all.set(`${PASSKEYS.folder}/${file}`, asset(file, unmapped(readFileSync(join(esm, file), 'utf8'))));
  return {
    get: (path) => all.get(path),
    sheets: names.filter((name) => name.endsWith('.css')).sort(),
    module: (name) => `${name}.${ending}`,
  };
}

function asset(name: string, text: string): Asset {
  const body = Buffer.from(text);
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 27)}"`;
  return { type: TYPES[name.split('.').at(-1) ?? ''] ?? 'application/octet-stream', body, etag };
}
/** Without what is nobody's here: the source map, and the word by which tsc says of a classic script that it is a module. */
const unmapped = (text: string): string => text.replace(/^\/\/# sourceMappingURL=.*$|^export \{\};$/gm, '');
/** Bare names become addresses, seen from the folder that `up` leads back from; the room next door is a folder here. */
function linked(text: string, up: string): string {
  const known = new Map<string, string>([
    ...VENDORS.map(([name, path]): [string, string] => [name, up + path]),
    [PASSKEYS.name, `${up}${PASSKEYS.folder}/index.js`],
  ]);
  return unmapped(text)
    .replaceAll(/(['"])\.\.\/\.\.\/wire\//g, `$1${up}wire/`)
    .replace(/(\bfrom\s*|\bimport\s*\(?\s*)(['"])([^'"./][^'"]*)\2/g, (whole, before: string, quote: string, name: string) => {
      const to = known.get(name);
      return to === undefined ? whole : `${before}${quote}${to}${quote}`;
    });
}
/** Node says of each use that it may change; what it does to our own modules is tested. */
function strip(text: string): string {
  const { emitWarning } = process;
  process.emitWarning = () => undefined;
  try {
    return stripTypeScriptTypes(text);
  } finally {
    process.emitWarning = emitWarning;
  }
}
