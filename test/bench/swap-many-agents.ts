/** Loaded first by a child whose bundle has more agents than one file of it may hold: they are made here instead of read. */
import { readFileSync } from 'node:fs';
import type { Bundles, Engine } from '../../src/bundle/bundle.ts';
import { readFolder } from '../../src/bundle/bundle-folder-files.ts';
import { formats } from '../../src/bundle/bundle-folder-formats.ts';
import { compileBundle } from '../../src/bundle/compile.ts';
import type { AgentsFile } from '../../src/bundle/formats.ts';
import type { JsonObject } from '../../src/wire/json.ts';
import { ok } from '../../src/wire/result.ts';
import { swap } from './swap.ts';

swap('/src/bundle/bundle-folder.ts', import.meta.url);

export interface ManyAgents {
  readonly count: number;
  /** Public keys of the first of them; the rest take theirs in turn, since nobody asks in their name. */
  readonly keys: readonly JsonObject[];
}
export const agentId = (i: number): string => `agent-${i}`;

export async function folderBundles({ folder, engine }: { readonly folder: string; readonly engine: Engine }): Promise<Bundles> {
  const { count, keys } = JSON.parse(readFileSync(process.env['BENCH_AGENTS'] ?? '', 'utf8')) as ManyAgents;
  const agents: AgentsFile = {
    people: [{ id: 'people:u_alice', name: 'Alice Moreau' }],
    agents: Array.from({ length: count }, (_, i) => ({
      id: agentId(i),
      name: `Agent ${i}`,
      owner: 'people:u_alice',
      purpose: 'Pays back duplicate and disputed charges.',
      review: '2030-01-01',
      suspended: false,
      identity: { jwks: { keys: [keys[i % keys.length] ?? {}] } },
      limits: {},
    })),
  };
  const files = await readFolder(folder);
  if (!files.ok) throw new Error('the bundle cannot be read');
  const made = { ...formats, agents: () => ok({ value: agents, lineOf: () => undefined }) };
  const compiled = await compileBundle(files.value, engine, made);
  if (!compiled.ok) throw new Error(`the bundle does not compile: ${compiled.error[0]?.text}`);
  const { bundle, warnings } = compiled.value;
  const report = { ok: true, hash: bundle.hash, changed: true, problems: [], warnings };
  return { current: () => bundle, reload: async () => report, report: () => report, close: () => undefined };
}
