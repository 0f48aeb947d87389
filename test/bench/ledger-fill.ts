/** Fills a ledger through the store's port with what real exchanges write, verifies it, and asks it for stories. */
import { randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import { explainOffline } from '../../scripts/explain.ts';
import { verifyLedger } from '../../scripts/verify-ledger.ts';
import { findStory, tell } from '../../src/operate/story.ts';
import { newRoot, ROOT_BYTES } from '../../src/record/entry.ts';
import type { Batch } from '../../src/store/store.ts';
import { sqliteStore } from '../../src/store/store-sqlite.ts';
import { bytesWritten } from './machine.ts';
import { IN_FLIGHT } from './round.ts';

export interface FillInput {
  readonly path: string;
  readonly count: number;
  /** One that a broker has written. */
  readonly like: Batch<string>;
}
export interface Filled {
  readonly entries: number;
  /** Of one exchange: CPU µs, bytes of the file, bytes written to the disk. */
  readonly cpu: number;
  readonly file: number;
  readonly written: number | undefined;
  /** s, by the clock and of CPU. */
  readonly verify: { readonly wall: number; readonly cpu: number };
  /** ms, of twenty stories each. */
  readonly explain: readonly number[];
  readonly offline: readonly number[];
}
/** The store's own time while it is filled: as if so many came a second. */
const RATE = 1_500;

export async function work({ path, count, like }: FillInput): Promise<Filled> {
  const began = Math.floor(Date.now() / 1000) - Math.ceil(count / RATE);
  let done = 0;
  const moment = (): number => began + done / RATE;
  const now = (): number => Math.floor(moment());
  const ids: string[] = [];
  const make = another(like);
  const sizes = (): number => statSync(path).size + (statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0);
  const store = await sqliteStore({ path, now });
  const before = { cpu: process.cpuUsage(), file: sizes(), written: bytesWritten('self') };
  const one = async (): Promise<void> => {
    while (done < count) {
      const i = done++;
      const { batch, root } = make(moment());
      if (i % Math.ceil(count / 20) === 0) ids.push(`txn_${root}`);
      const failed = await store.commit(batch);
      if (failed !== undefined) throw new Error(`a claim did not hold: ${failed}`);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, one));
  const { user, system } = process.cpuUsage(before.cpu);
  const written = bytesWritten('self');
  const file = (sizes() - before.file) / count;
  const explain: number[] = [];
  for (const id of ids) {
    const at = performance.now();
    if (tell(await findStory(store, id)).length === 0) throw new Error('a story is missing');
    explain.push(performance.now() - at);
  }
  await store.close();

  const at = { wall: performance.now(), cpu: process.cpuUsage() };
  const report = await verifyLedger(path);
  const spent = process.cpuUsage(at.cpu);
  const verify = { wall: (performance.now() - at.wall) / 1000, cpu: (spent.user + spent.system) / 1e6 };
  if (!report.ok) throw new Error('the ledger does not verify');
  const offline: number[] = [];
  for (const id of ids) {
    const from = performance.now();
    if ((await explainOffline(path, id)).words.length === 0) throw new Error('a story is missing');
    offline.push(performance.now() - from);
  }
  return {
    entries: report.count,
    cpu: (user + system) / count,
    file,
    written: written === undefined || before.written === undefined ? undefined : (written - before.written) / count,
    verify,
    explain,
    offline,
  };
}

/** Others like it: every identifier, hash and time new, all else the same. The key of the proof is one of a few, as in life. */
function another(like: Batch<string>): (moment: number) => { readonly batch: Batch<string>; readonly root: string } {
  const body = like.entries[0]?.body;
  const oldRoot = String(body?.['txn']).replace('txn_', '');
  const jkt = String(body?.['jkt']);
  const text = JSON.stringify(like);
  const parts = text.split(/((?<![\w-])[\w-]{43}(?![\w-])|[0-9a-f]{32}(?=")|(?<=[:,])1[0-9]{9}(?=[,}]))/);
  return (moment) => {
    const now = Math.floor(moment);
    const root = newRoot(moment, randomBytes(ROOT_BYTES));
    const hashes = new Map<string, string>();
    const made = parts.map((part, i) => {
      if (i % 2 === 0 || part === jkt) return part;
      if (part === oldRoot) return root;
      if (/^1\d{9}$/.test(part)) return String(Number(part) - like.at + now);
      if (part.length !== 43) return part;
      const hash = hashes.get(part) ?? randomBytes(32).toString('base64url');
      hashes.set(part, hash);
      return hash;
    });
    return { batch: JSON.parse(made.join('')) as Batch<string>, root };
  };
}
