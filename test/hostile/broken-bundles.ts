/** Bundles that are not whole, each by one damage, and every word that is said of it. */
import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { digestFile, formatManifest, isBundleFile, MANIFEST } from '../../src/bundle/manifest.ts';

export interface Damage {
  readonly name: string;
  /** What is done to the folder. `listed`: the manifest says what lies there afterwards, so that the content itself is judged. */
  readonly to: (folder: string) => Promise<unknown>;
  readonly listed?: true;
  readonly said: readonly string[];
}
export const edit = (file: string, change: (text: string) => string | Uint8Array) => async (folder: string) =>
  writeFile(join(folder, file), change(await readFile(join(folder, file), 'utf8')));
export const add = (file: string, text: string) => (folder: string) => writeFile(join(folder, file), text);
export const remove = (file: string) => (folder: string) => rm(join(folder, file), { recursive: true });
const manifest = (change: (text: string) => string) => edit(MANIFEST, change);
const members = (change: (files: Record<string, string>) => void) =>
  manifest((text) => {
    const parsed = JSON.parse(text) as { files: Record<string, string> };
    change(parsed.files);
    return JSON.stringify(parsed);
  });
/** The manifest of whatever bytes lie there; the project's own writer would refuse most of them. */
export async function list(folder: string): Promise<void> {
  const digests = new Map<string, string>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && isBundleFile(entry.name))
      digests.set(
        path
          .slice(folder.length + 1)
          .split(sep)
          .join('/'),
        digestFile(await readFile(path)),
      );
  }
  await writeFile(join(folder, MANIFEST), formatManifest(digests));
}

const CHANGED = 'is not what the manifest says (cut short, edited, or being written; npm run policies -- --write)';
const UNLISTED = 'is not in the manifest (npm run policies -- --write, or remove it)';
const boundary = (text: string): string => text.slice(0, text.indexOf('@id("refund-not-delegated")'));
const WHAT_IT_IS = 'is not {"files": {path: sha256}}';

export const FOLDERS: readonly Damage[] = [
  // A file that is not what the manifest says.
  {
    name: 'a policy file cut between two policies: it still parses, without its forbid',
    to: edit('refunds.cedar', boundary),
    said: [`refunds.cedar: ${CHANGED}`],
  },
  {
    name: 'a policy file cut inside a policy',
    to: edit('refunds.cedar', (text) => text.slice(0, 400)),
    said: [`refunds.cedar: ${CHANGED}`],
  },
  { name: 'a policy file emptied', to: edit('refunds.cedar', () => ''), said: [`refunds.cedar: ${CHANGED}`] },
  { name: 'a policy file gone', to: remove('refunds.cedar'), said: ['refunds.cedar: is missing'] },
  {
    name: 'two files gone',
    to: async (folder) => [await remove('refunds.cedar')(folder), await remove('schema.cedarschema')(folder)],
    said: ['refunds.cedar: is missing', 'schema.cedarschema: is missing'],
  },
  { name: 'one digit changed', to: edit('refunds.cedar', (text) => text.replace('> 5000', '> 9000')), said: [`refunds.cedar: ${CHANGED}`] },
  {
    name: 'line ends of another system',
    to: edit('agents.cedar', (text) => text.replaceAll('\n', '\r\n')),
    said: [`agents.cedar: ${CHANGED}`],
  },
  {
    name: 'a tool’s schema changed',
    to: edit('servers/shop.yaml', (text) => text.replace('minimum: 1 }', 'minimum: -1 }')),
    said: [`servers/shop.yaml: ${CHANGED}`],
  },
  { name: 'a decision test changed', to: edit('tests/refunds.yaml', (text) => `${text}\n`), said: [`tests/refunds.yaml: ${CHANGED}`] },
  {
    name: 'two files exchanged',
    to: async (folder) => {
      await rename(join(folder, 'people.cedar'), join(folder, 'x'));
      await rename(join(folder, 'agents.cedar'), join(folder, 'people.cedar'));
      await rename(join(folder, 'x'), join(folder, 'agents.cedar'));
    },
    said: [`agents.cedar: ${CHANGED}`, `people.cedar: ${CHANGED}`],
  },
  {
    name: 'a permit that nobody listed',
    to: add('open.cedar', '@id("open") permit (principal, action, resource);'),
    said: [`open.cedar: ${UNLISTED}`],
  },
  {
    name: 'a permit that nobody listed, in a folder of its own',
    to: async (folder) => {
      await mkdir(join(folder, 'more'));
      await add('more/open.cedar', '@id("open") permit (principal, action, resource);')(folder);
    },
    said: [`more/open.cedar: ${UNLISTED}`],
  },
  {
    name: 'an extension in capitals',
    to: add('OPEN.CEDAR', '@id("open") permit (principal, action, resource);'),
    said: [`OPEN.CEDAR: ${UNLISTED}`],
  },
  { name: 'a server that nobody listed', to: add('servers/evil.yml', 'id: evil'), said: [`servers/evil.yml: ${UNLISTED}`] },

  // A manifest that is none.
  { name: 'no manifest', to: remove(MANIFEST), said: ['manifest.json: is missing (npm run policies -- --write makes it)'] },
  { name: 'an empty manifest', to: manifest(() => ''), said: ['manifest.json: is not strict JSON'] },
  { name: 'a manifest cut short', to: manifest((text) => text.slice(0, 200)), said: ['manifest.json: is not strict JSON'] },
  {
    name: 'a manifest with a byte-order mark',
    to: manifest((text) => `\ufeff${text}`),
    said: ['manifest.json: begins with a byte order mark (npm run policies -- --write makes it)'],
  },
  {
    name: 'a manifest that names one file twice',
    to: manifest((text) => text.replace('"files": {', `"files": { "refunds.cedar": "${'0'.repeat(64)}",`)),
    said: ['manifest.json: is not strict JSON'],
  },
  { name: 'a manifest that is a list', to: manifest(() => '[]'), said: [`manifest.json: ${WHAT_IT_IS}`] },
  {
    name: 'a manifest with a member more',
    to: manifest((text) => text.replace('{', '{"sealed": true,')),
    said: [`manifest.json: ${WHAT_IT_IS}`],
  },
  { name: 'files that are a list', to: manifest(() => '{"files":["refunds.cedar"]}'), said: [`manifest.json: ${WHAT_IT_IS}`] },
  {
    name: 'no files',
    to: manifest(() => '{"files":{}}'),
    said: [
      'agents.cedar',
      'agents.yaml',
      'people.cedar',
      'refunds.cedar',
      'schema.cedarschema',
      'servers/shop.yaml',
      'tests/agents.yaml',
      'tests/people.yaml',
      'tests/refunds.yaml',
    ].map((file) => `${file}: ${UNLISTED}`),
  },
  { name: 'a file left out of the manifest', to: members((files) => delete files['refunds.cedar']), said: [`refunds.cedar: ${UNLISTED}`] },
  {
    name: 'a path that climbs',
    to: members((files) => {
      files['../open.cedar'] = '0'.repeat(64);
    }),
    said: ['manifest.json: names a path that is absolute, hidden or climbs'],
  },
  {
    name: 'a path that climbs in the middle',
    to: members((files) => {
      files['servers/../../open.cedar'] = '0'.repeat(64);
    }),
    said: ['manifest.json: names a path that is absolute, hidden or climbs'],
  },
  {
    name: 'an absolute path',
    to: members((files) => {
      files['/etc/passwd'] = '0'.repeat(64);
    }),
    said: ['manifest.json: names a path that is absolute, hidden or climbs'],
  },
  {
    name: 'a hidden path',
    to: members((files) => {
      files['.git/config'] = '0'.repeat(64);
    }),
    said: ['manifest.json: names a path that is absolute, hidden or climbs'],
  },
  {
    name: 'a digest of another length',
    to: members((files) => {
      files['refunds.cedar'] = '0'.repeat(63);
    }),
    said: ['manifest.json: has a digest that is not SHA-256 in hex'],
  },
  {
    name: 'a digest in capitals',
    to: members((files) => {
      files['refunds.cedar'] = String(files['refunds.cedar']).toUpperCase();
    }),
    said: ['manifest.json: has a digest that is not SHA-256 in hex'],
  },
  {
    name: 'a digest that is null',
    to: members((files) => {
      files['refunds.cedar'] = null as never;
    }),
    said: ['manifest.json: has a digest that is not SHA-256 in hex'],
  },
  {
    name: 'the digest of another file',
    to: members((files) => {
      files['refunds.cedar'] = String(files['people.cedar']);
    }),
    said: [`refunds.cedar: ${CHANGED}`],
  },
  {
    name: 'a file that was never there',
    to: members((files) => {
      files['strict.cedar'] = '0'.repeat(64);
    }),
    said: ['strict.cedar: is missing'],
  },

  // Files that are no files.
  {
    name: 'a link out of the folder',
    to: async (folder) => {
      await remove('refunds.cedar')(folder);
      await symlink('/etc/hostname', join(folder, 'refunds.cedar'));
    },
    said: ['refunds.cedar: leads out of the folder'],
  },
  {
    name: 'a link that leads nowhere',
    to: async (folder) => {
      await remove('refunds.cedar')(folder);
      await symlink('nowhere', join(folder, 'refunds.cedar'));
    },
    said: ['refunds.cedar: is missing'],
  },
  {
    name: 'a link to itself',
    to: async (folder) => {
      await remove('refunds.cedar')(folder);
      await symlink('refunds.cedar', join(folder, 'refunds.cedar'));
    },
    said: ['refunds.cedar: cannot be read'],
  },
  {
    name: 'a folder',
    to: async (folder) => {
      await remove('refunds.cedar')(folder);
      await mkdir(join(folder, 'refunds.cedar'));
    },
    said: ['refunds.cedar: is not a file'],
  },
  {
    name: 'a pipe that nobody writes to',
    to: async (folder) => {
      await remove('refunds.cedar')(folder);
      execFileSync('mkfifo', [join(folder, 'refunds.cedar')]);
    },
    said: ['refunds.cedar: is not a file'],
  },
  { name: '2 MB', to: add('refunds.cedar', ' '.repeat(2_000_000)), said: ['refunds.cedar: is larger than 1 MB'] },
];
