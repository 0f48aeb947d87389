/** Checks a bundle: loads it as a broker would, runs its decision tests, prints a table. `npm run policies`. */
import { randomUUID } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { credentials } from '../src/app-backends.ts';
import { type Files, formatProblem, type Problem } from '../src/bundle/bundle.ts';
import { readFolder, scanFolder } from '../src/bundle/bundle-folder-files.ts';
import { formats } from '../src/bundle/bundle-folder-formats.ts';
import { compileBundle } from '../src/bundle/compile.ts';
import { digestFile, formatManifest, MANIFEST, parseManifest } from '../src/bundle/manifest.ts';
import { cedarEngine } from '../src/decide/policy-cedar.ts';
import { type Outcome, runDecisionTests } from './decision-tests.ts';

/** Exit codes: 0 all well · 1 a problem, or a test that came out otherwise · 3 usage. */
export interface Checked {
  readonly ok: boolean;
  readonly hash?: string;
  readonly policies?: number;
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
  readonly tests: readonly Outcome[];
}
export interface CheckOptions {
  /** Judge what lies in the folder, not what its manifest lists: a candidate. */
  readonly candidate?: boolean;
  /** ISO date; without it no review is called due. */
  readonly today?: string;
  readonly progress?: (what: string) => void;
}

/** The folder's bundle and its tests. Never throws for what the folder holds. */
export async function checkFolder(folder: string, options: CheckOptions = {}): Promise<Checked> {
  const { progress = () => {} } = options;
  const bad = (problems: readonly Problem[]): Checked => ({ ok: false, problems, warnings: [], tests: [] });
  progress('reading the folder');
  const files = options.candidate ? await scanFolder(folder) : await readFolder(folder);
  if (!files.ok) return bad(files.error);
  progress(`compiling ${files.value.size} files`);
  const said = { credentials: credentials(), ...(options.today !== undefined && { today: options.today }) };
  const compiled = await compileBundle(files.value, cedarEngine(), formats, said);
  if (!compiled.ok) return bad(compiled.error);
  const { bundle, warnings } = compiled.value;
  const tests = runDecisionTests(bundle, files.value, (done) => progress(`${done} decision tests done`));
  const found = { hash: bundle.hash, policies: bundle.policy.size, warnings };
  if (!tests.ok) return { ...bad(tests.error), ...found };
  return { ok: tests.value.every((test) => test.ok), ...found, problems: [], tests: tests.value };
}

export interface Change {
  readonly path: string;
  readonly change: 'added' | 'changed' | 'removed';
}
/** What `writeManifest` would change. Throws when the folder cannot be read. */
export async function manifestChanges(folder: string): Promise<{ readonly changes: readonly Change[]; readonly text: string }> {
  const files = await scanFolder(folder);
  if (!files.ok) throw new Error(files.error.map(formatProblem).join('\n'));
  const before = parseManifest(await readFile(join(folder, MANIFEST), 'utf8').catch(() => '{"files":{}}'));
  const old = before.ok ? before.value : new Map<string, string>();
  const now = digestsOf(files.value);
  const changes: Change[] = [];
  for (const [path, digest] of now) if (old.get(path) !== digest) changes.push({ path, change: old.has(path) ? 'changed' : 'added' });
  for (const path of old.keys()) if (!now.has(path)) changes.push({ path, change: 'removed' });
  return { changes: changes.sort((a, b) => (a.path < b.path ? -1 : 1)), text: formatManifest(now) };
}
/** Lists every bundle file in the folder as it is now. Whole or not at all: a broker that reads meanwhile sees the old or the new one. */
export async function writeManifest(folder: string): Promise<readonly Change[]> {
  const { changes, text } = await manifestChanges(folder);
  const temporary = join(folder, `.${MANIFEST}.${randomUUID()}`);
  await writeFile(temporary, text);
  await rename(temporary, join(folder, MANIFEST));
  return changes;
}
const digestsOf = (files: Files): ReadonlyMap<string, string> => new Map([...files].map(([path, text]) => [path, digestFile(text)]));

function print(checked: Checked): void {
  for (const problem of checked.problems) console.log(`problem  ${formatProblem(problem)}`);
  for (const warning of checked.warnings) console.log(`warning  ${formatProblem(warning)}`);
  const failed = checked.tests.filter((test) => !test.ok);
  if (checked.tests.length > 0) {
    const rows = checked.tests.map((t) => [
      t.ok ? '✓' : '✗',
      t.who,
      t.tool,
      t.expected.replace(/ by .*/, ''),
      t.got,
      t.policies.join(', ') || '–',
    ]);
    console.log(`\n${table([['', 'who', 'tool', 'expected', 'got', 'policies'], ...rows])}\n`);
  }
  for (const t of failed)
    console.log(
      `failed   ${t.file}:${t.line}: ${t.name}\n         expected ${t.expected}\n         got      ${t.got} by ${t.policies.join(', ') || 'none'}`,
    );
  if (checked.hash !== undefined)
    console.log(
      `bundle ${checked.hash.slice(0, 12)}: ${checked.policies} policies, ${checked.tests.length} tests, ${failed.length} failed`,
    );
}
function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

async function main(argv: readonly string[]): Promise<number> {
  const command = new Command('policies')
    .description('Checks the bundle and runs its decision tests.')
    .option('--folder <path>', 'the bundle', 'policies')
    .option('--write', 'rewrite manifest.json, if the bundle is sound')
    .option('--json', 'print one JSON object')
    .exitOverride((stop) => process.exit(stop.exitCode === 0 ? 0 : 3))
    .parse([...argv]);
  const { folder, write, json } = command.opts<{ folder: string; write?: true; json?: true }>();
  const began = performance.now();
  let told = 2_000;
  const progress = (what: string): void => {
    const passed = performance.now() - began;
    if (passed < told) return;
    told = passed + 1_000;
    console.error(`… ${what}, ${Math.round(passed / 1000)} s`);
  };
  const today = new Date().toISOString().slice(0, 10);
  const checked = await checkFolder(folder, { candidate: write === true, today, progress });
  let changes: readonly Change[] = [];
  let written = false;
  if (write && checked.problems.length === 0) {
    ({ changes } = await manifestChanges(folder));
    if (!json) for (const { path, change } of changes) console.log(`${change.padEnd(8)} ${path}`);
    if (checked.ok) {
      await writeManifest(folder);
      written = true;
    }
  }
  if (json) console.log(JSON.stringify({ ...checked, ...(write && { changes, written }) }, null, 2));
  else {
    print(checked);
    if (write) console.log(written ? `${MANIFEST} written` : `${MANIFEST} left as it was: the bundle must be sound first`);
  }
  return checked.ok ? 0 : 1;
}

if (import.meta.main) process.exitCode = await main(process.argv);
