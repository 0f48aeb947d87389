/** The program with one more kind of credential: a copy of `src`, one file, one union arm and one entry, and nothing else. */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { editBundle } from '../flow/front-door.ts';
import type * as Toy from './toy/minter-toy.ts';

export interface Program {
  readonly folder: string;
  readonly createApp: typeof import('../../src/app.ts').createApp;
  readonly parseConfig: typeof import('../../src/config.ts').parseConfig;
  remove(): void;
}
export interface ToyProgram extends Program {
  readonly backEnd: typeof Toy.backEnd;
}
/** What a new kind consists of: `file` becomes `src/mint/minter-<use>.ts`. */
export interface Kind {
  readonly use: string;
  readonly file: string;
  /** Of the configuration's union. */
  readonly arm: string;
  /** What the file exports: the reader of its registrations, and the call that opens its minter. */
  readonly imports: string;
  readonly reader: string;
  readonly open: string;
}
const TOY: Kind = {
  use: 'toy',
  file: 'test/support/toy/minter-toy.ts',
  arm: "z.strictObject({ use: z.literal('toy'), audience: z.string().default('toy') })",
  imports: 'readToy, toyMinter',
  reader: 'readToy',
  open: 'toyMinter({ audience: backEnd.audience, login })',
};

export async function toyProgram(): Promise<ToyProgram> {
  const program = await programWith(TOY);
  const toy = (await import(pathToFileURL(join(program.folder, 'src/mint/minter-toy.ts')).href)) as typeof Toy;
  return { ...program, backEnd: toy.backEnd };
}
/** Errors: the program has not the places that a new kind goes to. */
export async function programWith({ use, file, arm, imports, reader, open }: Kind): Promise<Program> {
  const folder = mkdtempSync(join(tmpdir(), `countersign-${use}-`));
  cpSync('src', join(folder, 'src'), { recursive: true });
  cpSync('package.json', join(folder, 'package.json'));
  symlinkSync(join(process.cwd(), 'node_modules'), join(folder, 'node_modules'));
  writeFileSync(join(folder, `src/mint/minter-${use}.ts`), readFileSync(file, 'utf8').replaceAll('../../../src/', '../'));
  edit(join(folder, 'src/config.ts'), [[/const backEnd = z\.discriminatedUnion\('use', \[/, (found) => `${found}\n  ${arm},`]]);
  edit(join(folder, 'src/app-backends.ts'), [
    [/^import /m, (found) => `import { ${imports} } from './mint/minter-${use}.ts';\n${found}`],
    [/const readers[^=]*= new Map(<[^(]*>)?\(\[/, (found) => `${found}['${use}', ${reader}],`],
    [/switch \(backEnd\.use\) \{\n/, (found) => `${found}    case '${use}':\n      return ${open};\n`],
  ]);
  const load = <T>(path: string): Promise<T> => import(pathToFileURL(join(folder, path)).href) as Promise<T>;
  const { createApp } = await load<typeof import('../../src/app.ts')>('src/app.ts');
  const { parseConfig } = await load<typeof import('../../src/config.ts')>('src/config.ts');
  return { folder, createApp, parseConfig, remove: () => rmSync(folder, { recursive: true, force: true }) };
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
  const refund = 'credentials: { toy: { role: refunds, needs: [payment_id], cap: 1000, ttlSeconds: 30 } }';
  await editBundle(folder, 'servers/shop.yaml', /(?=\n {4}recordable:)/, `\n    ${refund}`);
  const note = 'credentials: { toy: { role: notes, cap: 1000 } }';
  await editBundle(folder, 'servers/shop.yaml', /(?<=read_note:\n)/, `    ${note}\n`);
  const look = 'credentials: { toy: { role: looks, deliver: agent, cap: 60, ttlSeconds: 20 } }';
  await editBundle(folder, 'servers/shop.yaml', /(?<=list_orders:\n)/, `    ${look}\n`);
}
