/** Has the services the suites test against: finds them, or fetches and builds them where nobody need be asked. Also a command: `node test/services/provision.ts`. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, delimiter, dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { type AptRecipe, type GoRecipe, isService, ON_DEMAND, RECIPES, type Recipe, SERVICES, type ServiceName } from './recipes.ts';

export type Found = { readonly path: string } | { readonly skip: string };
const ME = import.meta.filename;
const CACHE = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'countersign-tests');
const say = (line: string): void => void process.stderr.write(`${line}\n`);

/**
 * The program of a service. One that is not there is installed (root, apt) or built (Go) first, which may take minutes and says so.
 * `skip` is one line on how to get it. Errors: it cannot be had and `CI` is set, where a suite that did not run is a failure.
 */
export async function need(name: ServiceName): Promise<Found> {
  const path = await provision(name);
  if (path) return { path };
  const skip = `${name} is not here: ${howToGet(RECIPES[name])}`;
  if (process.env['CI']) throw new Error(skip);
  return { skip };
}
/** What `test` and `suite` take as `skip`: false when all of these are there, else how to get the first that is not. Errors: as `need`. */
export async function skipUnless(...names: readonly ServiceName[]): Promise<string | false> {
  for (const name of names) {
    const found = await need(name);
    if ('skip' in found) return found.skip;
  }
  return false;
}
/** The program of a service that is there. Errors: it is not. */
export function pathOf(name: ServiceName, binary?: string): string {
  const path = find(RECIPES[name]);
  if (!path) throw new Error(`${name} is not here: ${howToGet(RECIPES[name])}`);
  return binary ? join(dirname(path), binary) : path;
}

async function provision(name: ServiceName, { again = false } = {}): Promise<string | undefined> {
  const recipe = RECIPES[name];
  const there = find(recipe);
  if (there || !mayHave(recipe) || (failedLately(name) && !again)) return there;
  mkdirSync(CACHE, { recursive: true });
  // Two suites may want it at once; the lock ends with its process, and whoever waited finds it done.
  const lock = join(CACHE, `${recipe.by === 'apt' ? 'apt' : name}.lock`);
  const have = [process.execPath, ME, '--have', name];
  await run(onPath('flock') ? ['flock', lock, ...have] : have, { stdio: ['ignore', 'inherit', 'inherit'] });
  return find(recipe);
}
/** What could not be had a moment ago is not tried again by each suite: without a network that takes long. */
const failed = (name: ServiceName): string => join(CACHE, `${name}.failed`);
function failedLately(name: ServiceName): boolean {
  const since = Date.now() - 600_000;
  return (statSync(failed(name), { throwIfNoEntry: false })?.mtimeMs ?? 0) > since;
}

const mayHave = (recipe: Recipe): boolean =>
  recipe.by === 'go' ? onPath('go') !== undefined : asRoot() !== undefined && onPath('apt-get') !== undefined;
/** What goes before a command of root's. On a person's machine nothing is installed by sudo, even where it would not ask. */
function asRoot(): readonly string[] | undefined {
  if (process.getuid?.() === 0) return [];
  return process.env['CI'] && onPath('sudo') ? ['sudo', '-n'] : undefined;
}
function howToGet(recipe: Recipe): string {
  if (recipe.by === 'apt') return `apt-get install ${recipe.packages.join(' ')}`;
  return onPath('go') ? 'its build with Go failed, see above' : `install Go 1.25 or later, it is built in ${recipe.takes}`;
}

function find(recipe: Recipe): string | undefined {
  if (recipe.by === 'go') {
    const built = cached(recipe);
    return isProgram(built) ? built : undefined;
  }
  const [usual = '', ...rest] = recipe.binaries;
  // From one folder, so that programs of one installation are used together; psql may be Debian's wrapper elsewhere.
  for (const folder of [...paths(), ...(recipe.folders ?? []).flatMap(expand)]) {
    if (!rest.every((other) => isProgram(join(folder, other)))) continue;
    const name = [usual, ...(recipe.aliases ?? [])].find((one) => isProgram(join(folder, one)));
    if (name) return join(folder, name);
  }
  return undefined;
}
const cached = (recipe: GoRecipe): string => join(CACHE, `${recipe.binary}-${recipe.version}`, recipe.binary);
const paths = (): readonly string[] => (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
const onPath = (program: string): string | undefined => paths().find((folder) => isProgram(join(folder, program)));
function expand(folder: string): readonly string[] {
  const [before = '', after] = folder.split('*');
  if (after === undefined) return [folder];
  try {
    const versions = readdirSync(before).sort((a, b) => b.localeCompare(a, 'en', { numeric: true }));
    return versions.map((version) => `${before}${version}${after}`);
  } catch {
    return [];
  }
}
function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly quiet?: boolean;
  /** Says its own. */
  readonly stdio?: ['ignore', 'inherit', 'inherit'];
}
/** The exit code of a program; what it says comes out when it fails, and is else not worth reading. */
async function run([program = '', ...args]: readonly string[], { cwd, env, quiet = false, stdio }: RunOptions = {}): Promise<number> {
  const child = spawn(program, args, { cwd, env: { ...process.env, ...env }, stdio: stdio ?? ['ignore', 'pipe', 'pipe'] });
  const said: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', (part: string) => void said.push(part));
  const code = await once(child, 'close').then(
    ([status]) => (status as number | null) ?? 1,
    () => 127,
  );
  if (code !== 0 && !quiet && !stdio) {
    const last = said.join('').slice(-2000).replace(/^/gm, '    ');
    say(`  ${[program, ...args].join(' ')} ended with ${code}:\n${last}`);
  }
  return code;
}

async function install({ packages }: AptRecipe): Promise<void> {
  const apt = [...(asRoot() ?? []), 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-o', 'DPkg::Lock::Timeout=300', '-qq'];
  // Debian starts what it installs, as a service of the machine, on the usual port: not wanted, and in a container not possible.
  const policy = '/usr/sbin/policy-rc.d';
  const ours = process.getuid?.() === 0 && !isProgram(policy);
  if (ours) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    const get = [...apt, 'install', '-y', '--no-install-recommends', ...packages];
    // A package list that is empty or old, naming versions that the mirror no longer has, is the usual reason.
    if ((await run(get, { quiet: true })) !== 0 && (await run([...apt, 'update'])) === 0) await run(get);
  } finally {
    if (ours) rmSync(policy, { force: true });
  }
}

/** Built under another name and renamed, so that a build that is killed leaves nothing that looks like a program. */
async function build(recipe: GoRecipe): Promise<void> {
  const to = cached(recipe);
  rmSync(dirname(to), { recursive: true, force: true });
  mkdirSync(dirname(to), { recursive: true });
  const part = mkdtempSync(`${to}.part-`);
  const folder = join(part, 'source');
  mkdirSync(folder);
  try {
    if (await compile(recipe, folder, part)) renameSync(join(part, basename(to)), to);
  } finally {
    rmSync(part, { recursive: true, force: true });
  }
}
async function compile({ install: module, source, binary }: GoRecipe, folder: string, part: string): Promise<boolean> {
  const env = { GOFLAGS: '-trimpath -buildvcs=false', GOWORK: 'off', CGO_ENABLED: '0' };
  const small = '-ldflags=-s -w';
  if (module) return (await run(['go', 'install', small, module], { cwd: folder, env: { ...env, GOBIN: part } })) === 0;
  if (!source) return false;
  writeFileSync(join(folder, 'main.go'), source.main);
  writeFileSync(join(folder, 'go.mod'), source.mod);
  if ((await run(['go', 'mod', 'tidy'], { cwd: folder, env })) !== 0) return false;
  return (await run(['go', 'build', small, '-o', join(part, binary), '.'], { cwd: folder, env })) === 0;
}

/** In the lock: another process may have had it meanwhile. */
async function have(name: ServiceName): Promise<void> {
  const recipe = RECIPES[name];
  if (find(recipe)) return;
  const from = performance.now();
  say(recipe.by === 'apt' ? `${name}: installing ${recipe.packages.join(' ')}` : `${name}: building, about ${recipe.takes} the first time`);
  await (recipe.by === 'apt' ? install(recipe) : build(recipe));
  const seconds = ((performance.now() - from) / 1000).toFixed(0);
  const there = find(recipe) !== undefined;
  if (there) rmSync(failed(name), { force: true });
  else writeFileSync(failed(name), '');
  say(there ? `${name}: there after ${seconds} s` : `${name}: not to be had (${seconds} s)`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { only: { type: 'string' }, have: { type: 'string' }, json: { type: 'boolean' } } });
  if (values.have !== undefined) return isService(values.have) ? have(values.have) : undefined;
  const names = values.only?.split(',') ?? SERVICES.filter((name) => !ON_DEMAND.includes(name));
  const unknown = names.filter((name) => !isService(name));
  if (unknown.length > 0) {
    say(`there is no service ${unknown.join(', ')}; there are ${SERVICES.join(', ')}`);
    process.exitCode = 2;
    return;
  }
  const found: Record<string, Found> = {};
  for (const name of names.filter(isService)) {
    const path = await provision(name, { again: true });
    found[name] = path ? { path } : { skip: howToGet(RECIPES[name]) };
    if (!values.json) console.log(path ? `${name}  ${path}` : `${name}  missing: ${howToGet(RECIPES[name])}`);
  }
  if (values.json) console.log(JSON.stringify(found));
  if (process.env['CI'] && Object.values(found).some((one) => 'skip' in one)) process.exitCode = 1;
}
if (process.argv[1] === ME) await main();
