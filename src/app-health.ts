/** What /readyz says, and how often it may make us look. */
import { existsSync } from 'node:fs';
import type { Bundles } from './bundle/bundle.ts';
import type { Config } from './config.ts';
import type { Check } from './http/health.ts';
import type { Signer } from './keys/signer.ts';
import type { Minters } from './mint/minter.ts';
import type { World } from './model.ts';
import type { Recorder } from './record/record.ts';

export interface HealthParts {
  readonly config: Config;
  readonly world: World;
  readonly record: Recorder;
  readonly signers: readonly Signer[];
  readonly bundles: Bundles;
  readonly minters: Minters;
  /** The ledger is known not to verify. */
  readonly broken: () => boolean;
  /** Deliveries to who is told of what waits, by the name of the receiver. Empty: nobody is. */
  readonly notify: () => ReadonlyMap<string, 'ok' | 'failing' | 'gone'>;
}

export function createStatus(parts: HealthParts): () => Promise<readonly Check[]> {
  const { config, world, record, signers, bundles } = parts;
  const recordable = atMostEvery(PROBE_MS, world, () => record.probe());
  const backEnds = [...parts.minters.values()].filter(({ kind }) => kind !== 'jwt');
  const reached = backEnds.map((minter) => ({
    name: `mint_${minter.kind}`,
    look: atMostEvery(PROBE_MS, world, () => minter.describe({ signal: world.after(PROBE_MS) })),
  }));
  return async () => [
    await probe('clock', async () => void world.now()),
    await probe('store', recordable),
    await probe('keys', async () => {
      for (const signer of signers) signer.published();
    }),
    await probe('policy', async () => void bundles.current()),
    parts.broken()
      ? { name: 'ledger', state: 'degraded', detail: 'it does not verify; run `npm run verify-ledger`' }
      : { name: 'ledger', state: 'ok' },
    bundles.report().ok
      ? { name: 'bundle', state: 'ok' }
      : { name: 'bundle', state: 'degraded', detail: 'a newer bundle was refused; run `npm run policies`' },
    ...keyFile(config),
    ...notified([...parts.notify().values()]),
    // One back end down takes its own kind with it and nothing else: the others go on.
    ...(await Promise.all(reached.map(({ name, look }) => backEnd(name, look)))),
  ];
}

function notified(states: readonly ('ok' | 'failing' | 'gone')[]): readonly Check[] {
  if (states.length === 0) return [];
  if (states.includes('gone'))
    return [{ name: 'notify', state: 'degraded', detail: 'a receiver wants nothing more; give it a new address or secret, or remove it' }];
  if (states.includes('failing'))
    return [{ name: 'notify', state: 'degraded', detail: 'a receiver cannot be told of what waits; it is tried again' }];
  return [{ name: 'notify', state: 'ok' }];
}
/** The secret is held in memory since the start: grants go on, but not after the next one. */
function keyFile({ keys }: Config): readonly Check[] {
  if (!('file' in keys.secret)) return [];
  const there = existsSync(keys.secret.file);
  return [
    { name: 'key_file', ...(there ? { state: 'ok' } : { state: 'degraded', detail: 'it is gone; put it back before the next start' }) },
  ];
}
/** Anybody may ask whether we are ready; that must not be a way to make us write, or call. */
const PROBE_MS = 1_000;
function atMostEvery<T>(ms: number, world: World, work: () => Promise<T>): () => Promise<T> {
  let last: { readonly at: number; readonly answer: Promise<T> } | undefined;
  return () => {
    const at = world.elapsed();
    if (!last || at - last.at >= ms) last = { at, answer: work() };
    return last.answer;
  };
}
async function probe(name: string, work: () => Promise<void>): Promise<Check> {
  try {
    await work();
    return { name, state: 'ok' };
  } catch {
    return { name, state: 'down' };
  }
}
async function backEnd(name: string, look: () => Promise<{ readonly ready: boolean; readonly detail: string }>): Promise<Check> {
  try {
    const { ready, detail } = await look();
    return { name, state: ready ? 'ok' : 'degraded', detail };
  } catch {
    return { name, state: 'degraded', detail: 'it cannot be reached' };
  }
}
