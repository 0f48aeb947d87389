import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { writeManifest } from '../../../scripts/policies.ts';
import { type Bundles, formatProblem, type Report } from '../../../src/bundle/bundle.ts';
import { folderBundles } from '../../../src/bundle/bundle-folder.ts';
import { cedarEngine } from '../../../src/decide/policy-cedar.ts';
import { ConfigError, Unavailable } from '../../../src/errors.ts';
import { AGENTS, ALL, decideBy, files, forbid, permit, short } from '../../policy/fixture.ts';

const FORBID = forbid('no-more', 'principal, action == shop::Action::"pay", resource', 'context.input.amount > 10');
const put = (folder: string, path: string, text: string | Buffer): void => {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
};
async function made(t: TestContext, policies = ALL + FORBID): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'bundle-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const [path, text] of files(policies)) put(folder, path, text);
  await writeManifest(folder);
  return folder;
}
async function opened(t: TestContext, folder: string, onReport?: (report: Report) => void, watch = false): Promise<Bundles> {
  const bundles = await folderBundles({ folder, engine: cedarEngine(), watch, ...(onReport && { onReport }) });
  t.after(() => bundles.close());
  return bundles;
}
const told = (report: Report): readonly string[] => report.problems.map(formatProblem);

test('a folder becomes a bundle, named by its content', async (t) => {
  const one = await opened(t, await made(t));
  const two = await opened(t, await made(t));
  assert.match(one.current().hash, /^[0-9a-f]{64}$/);
  assert.equal(one.current().hash, two.current().hash);
  assert.deepEqual(one.report(), { ok: true, hash: one.current().hash, changed: true, problems: [], warnings: one.report().warnings });
  assert.equal(one.current().policy.size, 2);
  one.close();
  assert.throws(() => one.current(), Unavailable);
});

test('the first load tells every problem at once, as file and line', async (t) => {
  const folder = await made(t);
  put(folder, 'p.cedar', `${ALL}${permit('x', 'principal, action == shop::Action::"pay", resource', 'context.input.amuont > 1')}`);
  put(folder, 'agents.yaml', AGENTS.replace('owner: people:u_alice', 'ownr: people:u_alice'));
  await writeManifest(folder);
  await assert.rejects(opened(t, folder), (fault: unknown) => {
    assert.ok(fault instanceof ConfigError);
    assert.deepEqual(fault.problems, [
      'agents.yaml:4: agents.0.owner is missing',
      'agents.yaml:4: unknown key ownr (did you mean owner?)',
      'p.cedar:2: attribute `input.amuont` in context for shop::Action::"pay" not found (did you mean `amount`?)',
    ]);
    return true;
  });
});

/** What is done to the folder of a running broker, and what it says: the bundle of before stays in force. */
const DAMAGE: readonly (readonly [string, (folder: string) => void, readonly string[]])[] = [
  [
    'a policy file cut at a policy boundary',
    (f) => put(f, 'p.cedar', ALL),
    ['p.cedar: is not what the manifest says (cut short, edited, or being written; npm run policies -- --write)'],
  ],
  ['a listed file that is gone', (f) => unlinkSync(join(f, 'p.cedar')), ['p.cedar: is missing']],
  ['an unlisted policy', (f) => put(f, 'q.cedar', ALL), ['q.cedar: is not in the manifest (npm run policies -- --write, or remove it)']],
  [
    'an unlisted file deeper down',
    (f) => put(f, 'a/b/x.yml', 'x: 1'),
    ['a/b/x.yml: is not in the manifest (npm run policies -- --write, or remove it)'],
  ],
  ['no manifest', (f) => unlinkSync(join(f, 'manifest.json')), ['manifest.json: is missing (npm run policies -- --write makes it)']],
  ['a manifest with a duplicate key', (f) => put(f, 'manifest.json', '{"files":{},"files":{}}'), ['manifest.json: is not strict JSON']],
  [
    'a manifest with something more',
    (f) => put(f, 'manifest.json', '{"files":{},"more":1}'),
    ['manifest.json: is not {"files": {path: sha256}}'],
  ],
  [
    'a manifest that climbs',
    (f) => put(f, 'manifest.json', JSON.stringify({ files: { '../p.cedar': 'a'.repeat(64) } })),
    ['manifest.json: names a path that is absolute, hidden or climbs'],
  ],
  [
    'a manifest with a short digest',
    (f) => put(f, 'manifest.json', JSON.stringify({ files: { 'p.cedar': 'aa' } })),
    ['manifest.json: has a digest that is not SHA-256 in hex'],
  ],
  [
    'an empty manifest',
    (f) => put(f, 'manifest.json', '{"files":{}}'),
    ['agents.yaml', 'p.cedar', 'schema.cedarschema', 'servers/shop.yaml'].map(
      (p) => `${p}: is not in the manifest (npm run policies -- --write, or remove it)`,
    ),
  ],
  ['a byte order mark', (f) => put(f, 'p.cedar', `\ufeff${ALL}`), ['p.cedar: begins with a byte order mark']],
  ['bytes that are not UTF-8', (f) => put(f, 'p.cedar', Buffer.from([0x2f, 0x2f, 0xff])), ['p.cedar: is not UTF-8']],
  ['a file over 1 MB', (f) => put(f, 'p.cedar', `//${'x'.repeat(1_048_576)}`), ['p.cedar: is larger than 1 MB']],
  [
    'a link out of the folder',
    (f) => {
      renameSync(join(f, 'p.cedar'), `${f}.cedar`);
      symlinkSync(`${f}.cedar`, join(f, 'p.cedar'));
    },
    ['p.cedar: leads out of the folder'],
  ],
  [
    'a folder in a file’s place',
    (f) => {
      unlinkSync(join(f, 'p.cedar'));
      mkdirSync(join(f, 'p.cedar'));
    },
    ['p.cedar: is not a file'],
  ],
  [
    'the folder gone',
    (f) => rmSync(f, { recursive: true }),
    ['.: the bundle folder is not there (`policies:` in the configuration names it)'],
  ],
];
for (const [name, damage, expected] of DAMAGE) {
  test(`degraded, and the old bundle stays: ${name}`, async (t) => {
    const folder = await made(t);
    const reports: Report[] = [];
    const bundles = await opened(t, folder, (report) => reports.push(report));
    const before = bundles.current();
    damage(folder);
    t.after(() => rmSync(`${folder}.cedar`, { force: true }));
    const report = await bundles.reload();
    assert.deepEqual([report.ok, report.changed, report.hash, told(report)], [false, false, before.hash, expected]);
    assert.equal(bundles.current(), before);
    assert.equal(bundles.report(), report);
    assert.deepEqual(reports, [report]);
    assert.equal(short(decideBy(bundles.current(), { args: { amount: 11 } })), 'denied forbidden no-more');
  });
}

test('a link within the folder is followed, as Kubernetes mounts its files', async (t) => {
  const folder = await made(t);
  mkdirSync(join(folder, '..data'));
  renameSync(join(folder, 'p.cedar'), join(folder, '..data/p.cedar'));
  symlinkSync('..data/p.cedar', join(folder, 'p.cedar'));
  assert.equal((await opened(t, folder)).current().policy.size, 2);
});

test('a good change is taken whole, and a repaired folder is no longer degraded', async (t) => {
  const folder = await made(t);
  const bundles = await opened(t, folder);
  const before = bundles.current();
  put(folder, 'p.cedar', ALL);
  assert.equal((await bundles.reload()).ok, false);
  put(folder, 'p.cedar', ALL + FORBID);
  const repaired = await bundles.reload();
  assert.deepEqual([repaired.ok, repaired.changed], [true, false]);
  assert.equal(bundles.current(), before);

  put(folder, 'p.cedar', ALL);
  await writeManifest(folder);
  const changed = await bundles.reload();
  assert.deepEqual([changed.ok, changed.changed], [true, true]);
  assert.notEqual(bundles.current().hash, before.hash);
  // An exchange that took the old bundle is decided by it to its end.
  assert.equal(short(decideBy(bundles.current(), { args: { amount: 11 } })), 'allow all');
  assert.equal(short(decideBy(before, { args: { amount: 11 } })), 'denied forbidden no-more');
  assert.equal(short(decideBy(bundles.current(), { args: { amount: 11 } })), 'allow all');
});

test('a policy that does not load leaves the old bundle in force', async (t) => {
  const folder = await made(t);
  const bundles = await opened(t, folder);
  put(folder, 'p.cedar', permit('x', 'principal, action == shop::Action::"pay", resource', 'context.input.amuont > 1'));
  await writeManifest(folder);
  const report = await bundles.reload();
  assert.equal(report.ok, false);
  assert.equal(short(decideBy(bundles.current(), { args: { amount: 11 } })), 'denied forbidden no-more');
});

test('calls that come during a load are answered by one that began after them', async (t) => {
  const folder = await made(t);
  const reports: Report[] = [];
  const bundles = await opened(t, folder, (report) => reports.push(report));
  const first = bundles.reload();
  put(folder, 'p.cedar', ALL);
  await writeManifest(folder);
  const answers = await Promise.all([bundles.reload(), bundles.reload()]);
  await first;
  assert.equal(bundles.current().policy.size, 1);
  for (const answer of answers) assert.equal(answer.hash, bundles.current().hash);
  assert.ok(reports.length <= 3);
});

test('a change is seen without being told', async (t) => {
  const folder = await made(t);
  const seen = Promise.withResolvers<Report>();
  const bundles = await opened(t, folder, (report) => report.ok && report.changed && seen.resolve(report), true);
  const before = bundles.current().hash;
  put(folder, 'p.cedar', ALL);
  await writeManifest(folder);
  assert.notEqual((await seen.promise).hash, before);
  assert.equal(bundles.current().policy.size, 1);
  assert.deepEqual(Object.keys(JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')).files), [
    'agents.yaml',
    'p.cedar',
    'schema.cedarschema',
    'servers/shop.yaml',
  ]);
});
