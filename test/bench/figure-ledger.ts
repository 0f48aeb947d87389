/** A ledger of hundreds of thousands of entries: how fast it is verified, how soon a story is found, and what an exchange adds to it. */
import { statSync } from 'node:fs';
import type { Batch } from '../../src/store/store.ts';
import { type Figure, median, type Row, rowOf } from './figure.ts';
import type { Filled, FillInput } from './ledger-fill.ts';
import { bytesWritten } from './machine.ts';
import { makeRequests } from './requests.ts';
import { driving, IN_FLIGHT, round } from './round.ts';
import { type Stage, setStage, startChild } from './scene.ts';

const KB = 1024;
function pathOf({ config: { store } }: Stage): string {
  if (store.use !== 'sqlite') throw new Error('this figure is of a file');
  return store.path;
}

export const ledger: Figure = {
  name: 'ledger',
  about: 'verify, explain, and what one exchange writes',
  async measure({ quick, long, tell }) {
    const count = quick ? 50_000 : long ? 1_000_000 : 200_000;
    const stage = await setStage();
    try {
      tell('a real exchange, to fill the ledger with its like');
      const input: FillInput = { path: pathOf(stage), count, like: await oneBatch(stage) };
      const filler = startChild();
      tell(`filling with ${count.toLocaleString('en')} entries`);
      const filled = await filler.tell<Filled>({ do: './ledger-fill.ts', input });
      await filler.end();
      tell('through the front door');
      const front = await throughFrontDoor(stage, quick ? 3_000 : 8_000);
      const few = filled.entries.toLocaleString('en');
      const written: readonly Row[] =
        filled.written === undefined
          ? []
          : [rowOf('written to the disk, of one, while it was filled', 'KB', [filled.written / KB], { atMost: 4 })];
      const door: readonly Row[] =
        front.written === undefined
          ? []
          : [rowOf('written to the disk, of one, through the front door', 'KB', [front.written / KB], { atMost: 4 })];
      return {
        rows: [
          rowOf(`verify ${few} entries`, '/s', [filled.entries / filled.verify.cpu], { atLeast: 250_000 }),
          rowOf('  by the clock', '/s', [filled.entries / filled.verify.wall]),
          rowOf('explain one action, running broker', 'ms', filled.explain, { atMost: 5 }),
          rowOf('  from the file alone', 'ms', filled.offline),
          rowOf('the file grows by, of one', 'KB', [filled.file / KB], { atMost: 1.4 }),
          ...written,
          ...door,
          rowOf('  the file grows through the front door by, of one', 'KB', [front.file / KB]),
          rowOf('  CPU of one commit while it was filled', 'µs', [filled.cpu]),
          rowOf(`  CPU of one exchange on ${few} entries`, 'µs', front.cpu),
          rowOf(`  ready on ${few} entries, in a warm process`, 's', [front.readySeconds]),
        ],
        notes: [
          `Filled through the store's port, ${IN_FLIGHT} in flight, with the claims, marks, entry and terms of a real exchange under new identifiers, its clock going at 1,500 exchanges a second. Verified by the CPU second of one thread; scripts/verify-ledger.ts.`,
          ...(written.length + door.length < 2 ? ['This system does not tell what a process writes to the disk.'] : []),
        ],
      };
    } finally {
      stage.clear();
    }
  },
};

async function oneBatch(stage: Stage): Promise<Batch<string>> {
  const child = startChild({ swap: './swap-capture.ts' });
  try {
    await child.tell({ be: 'broker', config: stage.config });
    await driving([stage.port], async (broker) => round(child, broker, makeRequests(await stage.scene(), 2, { subjects: 'fresh' }), 1));
    const [batch] = await child.tell<readonly Batch<string>[]>({ do: './swap-capture.ts' });
    if (batch?.entries[0]?.body['kind'] !== 'minted') throw new Error('the last commit is not that of a grant');
    return batch;
  } finally {
    await child.end();
  }
}
interface Front {
  readonly cpu: readonly number[];
  readonly file: number;
  readonly written: number | undefined;
  readonly readySeconds: number;
}
async function throughFrontDoor(stage: Stage, count: number): Promise<Front> {
  const path = pathOf(stage);
  const sizes = (): number => statSync(path).size + (statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0);
  const child = startChild();
  try {
    await child.usage();
    const began = performance.now();
    await child.tell({ be: 'broker', config: stage.config });
    const readySeconds = (performance.now() - began) / 1000;
    return await driving([stage.port], async (broker) => {
      const made = async () => makeRequests(await stage.scene(), 1_000, { subjects: 'fresh' });
      for (let i = 0; i < 2; i++) await round(child, broker, await made());
      const before = { file: sizes(), written: bytesWritten(child.pid) };
      const cpu: number[] = [];
      for (let done = 0; done < count; done += 1_000) cpu.push((await round(child, broker, await made())).cpu);
      const written = bytesWritten(child.pid);
      return {
        cpu: [median(cpu.slice(-3))],
        file: (sizes() - before.file) / count,
        written: written === undefined || before.written === undefined ? undefined : (written - before.written) / count,
        readySeconds,
      };
    });
  } finally {
    await child.end();
  }
}
