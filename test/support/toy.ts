/** The program with one more kind of credential: a copy of `src`, one file, one union arm and one entry, and nothing else. */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { editBundle } from '../flow/front-door.ts';
import type * as Toy from './toy/minter-toy.ts';

export interface ToyProgram {
  readonly folder: string;
  readonly createApp: typeof import('../../src/app.ts').createApp;
  readonly parseConfig: typeof import('../../src/config.ts').parseConfig;
  readonly backEnd: typeof Toy.backEnd;
  remove(): void;
}
const ARM = "z.strictObject({ use: z.literal('toy'), audience: z.string().default('toy') }),";
const IMPORT = "import { readToy, toyMinter } from './mint/minter-toy.ts';\n";
const READER = "['toy', readToy],";
const CASE = "    case 'toy':\n      return toyMinter({ audience: backEnd.audience, login });\n";

/** Errors: the program has not the places that a new kind goes to. */
export async function toyProgram(): Promise<ToyProgram> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-toy-'));
  cpSync('src', join(folder, 'src'), { recursive: true });
  cpSync('package.json', join(folder, 'package.json'));
  symlinkSync(join(process.cwd(), 'node_modules'), join(folder, 'node_modules'));
  const file = readFileSync('test/support/toy/minter-toy.ts', 'utf8').replaceAll('../../../src/', '../');
  writeFileSync(join(folder, 'src/mint/minter-toy.ts'), file);
  edit(join(folder, 'src/config.ts'), [[/const backEnd = z\.discriminatedUnion\('use', \[/, (found) => `${found}\n  ${ARM}`]]);
  edit(join(folder, 'src/app-backends.ts'), [
    [/^import /m, (found) => IMPORT + found],
    [/const readers[^=]*= new Map(<[^(]*>)?\(\[/, (found) => found + READER],
    [/switch \(backEnd\.use\) \{\n/, (found) => found + CASE],
  ]);
  const load = <T>(path: string): Promise<T> => import(pathToFileURL(join(folder, path)).href) as Promise<T>;
  const { createApp } = await load<typeof import('../../src/app.ts')>('src/app.ts');
  const { parseConfig } = await load<typeof import('../../src/config.ts')>('src/config.ts');
  const { backEnd } = await load<typeof Toy>('src/mint/minter-toy.ts');
  return { folder, createApp, parseConfig, backEnd, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
function edit(file: string, changes: readonly (readonly [RegExp, (found: string) => string])[]): void {
  let text = readFileSync(file, 'utf8');
  for (const [place, change] of changes) {
    if (!place.test(text)) throw new Error(`${file} has no place for a new kind: ${place.source}`);
    text = text.replace(place, change);
  }
  writeFileSync(file, text);
}

/** What the shop's tools register: an account for a refund, made for its payment; one for a note; one for the agent itself to look with; none to delete with. */
export async function registerToy(folder: string): Promise<void> {
  const refund = 'credentials: { toy: { role: refunds, needs: [payment_id], cap: 60, ttlSeconds: 30 } }';
  await editBundle(folder, 'servers/shop.yaml', /(?=\n {4}recordable:)/, `\n    ${refund}`);
  const note = 'credentials: { toy: { role: notes, cap: 5 } }';
  await editBundle(folder, 'servers/shop.yaml', /(?<=read_note:\n)/, `    ${note}\n`);
  const look = 'credentials: { toy: { role: looks, deliver: agent, cap: 60, ttlSeconds: 20 } }';
  await editBundle(folder, 'servers/shop.yaml', /(?<=list_orders:\n)/, `    ${look}\n`);
}
