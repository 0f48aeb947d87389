/**
 * `npm run faults:kill -- --times 1000`: SIGKILL at random moments of a broker under load. After each it is started again, what it has used up
 * is shown again, its chain is verified, and what agents were told is compared with its ledger, both ways. Goes on where it was stopped.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { type LedgerRow, nothingLost, nothingTwice, readLedger } from './checks.ts';
import { type House, openHouse, ROOT } from './harness.ts';
import { claimsOf, createLoad, type Load } from './load.ts';

/** What was seen so far, of all runs that this one goes on with. */
interface Seen {
  kills: number;
  /** Of them: with answers under way, and before the broker was ready. */
  midGrant: number;
  beforeReady: number;
  granted: number;
  lostAnswers: number;
  /** Grants that stand in the ledger though the kill kept their answer from whoever asked. */
  recordedUnheard: number;
  replayed: number;
  entries: number;
  worstReadyMs: number;
}
const NONE: Seen = {
  kills: 0,
  midGrant: 0,
  beforeReady: 0,
  granted: 0,
  lostAnswers: 0,
  recordedUnheard: 0,
  replayed: 0,
  entries: 0,
  worstReadyMs: 0,
};
/** A ledger is read whole after each kill, so that each house sees no more. */
const OF_ONE_HOUSE = 50;
const STATE = join(ROOT, 'node_modules', '.cache', 'countersign-faults', 'kills.json');

const options = new Command('faults:kill')
  .description('Kills a broker under load, again and again; loses nothing, or says what and exits 1.')
  .option('--times <count>', 'kills, those of earlier runs among them', Number, 1_000)
  .option('--anew', 'forget earlier runs')
  .option('--json', 'print the summary as JSON')
  .parse()
  .opts<{ times: number; anew?: true; json?: true }>();

if (options.anew) rmSync(STATE, { force: true });
const seen: Seen = { ...NONE, ...kept() };
const before = seen.kills;
const began = performance.now();
while (seen.kills < options.times) await oneHouse(Math.min(OF_ONE_HOUSE, options.times - seen.kills));
tell(true);
if (options.json) console.log(JSON.stringify({ ...seen, ofThisRun: seen.kills - before }));
else {
  console.table(seen);
  console.log(
    `${seen.kills} kills, ${seen.kills - before} of them now: no grant lost, none unasked, nothing used twice, every chain verified`,
  );
}

async function oneHouse(kills: number): Promise<void> {
  await using house = await openHouse();
  const delivered = new Map<string, string>();
  const load = createLoad(house, {
    marked: true,
    onGrant: (token, { wish }) => void delivered.set(String(claimsOf(token)['jti']), String(wish.mark)),
  });
  const unheard = new Set<string>();
  const twice = new Set<string>();
  let broker = await house.start();
  let entries = 0;
  for (let i = 0; i < kills; i++) {
    const [granted, lost] = [load.grants.length, load.counts.get('lost') ?? 0];
    load.begin();
    await sleep(20 + Math.random() * 300);
    await broker.kill();
    await load.end();
    for (const { wish } of load.lost) {
      unheard.add(String(wish.mark));
      if (wish.key !== undefined) twice.add(String(wish.mark));
    }
    const lostNow = (load.counts.get('lost') ?? 0) - lost;
    if (i % 10 === 9) await killUnready(house, broker.readyMs);
    broker = await house.start();
    seen.replayed += await nothingTwice(load, 2);
    seen.recordedUnheard += compare(readLedger(house.store).slice(entries), delivered, unheard);
    const now = await nothingLost(house, load);
    seen.entries += now - entries;
    entries = now;
    seen.kills++;
    seen.midGrant += lostNow > 0 ? 1 : 0;
    seen.lostAnswers += lostNow;
    seen.granted += load.grants.length - granted;
    seen.worstReadyMs = Math.max(seen.worstReadyMs, Math.round(broker.readyMs));
    keep();
    tell(seen.kills % 10 === 0);
  }
  everyOneAsked(readLedger(house.store), { delivered, unheard, twice }, load);
  assert.deepEqual(await broker.stop(), { code: 0, signal: null });
}
async function killUnready(house: House, readyMs: number): Promise<void> {
  const child = house.spawn();
  await sleep(Math.random() * readyMs);
  child.kill('SIGKILL');
  await once(child, 'exit');
  seen.beforeReady++;
}
type Minted = LedgerRow & { readonly purpose: string | null };
function minted(rows: readonly LedgerRow[]): readonly Minted[] {
  return (rows as readonly Minted[]).filter(({ kind, again }) => kind === 'minted' && again !== true);
}
/** Whatever was granted reached whoever asked, or its answer was lost: how many of these. */
function compare(rows: readonly LedgerRow[], delivered: ReadonlyMap<string, string>, unheard: ReadonlySet<string>): number {
  let count = 0;
  for (const { jti, purpose } of minted(rows)) {
    if (delivered.get(String(jti)) === purpose) continue;
    assert.ok(unheard.has(String(purpose)), `${jti} was granted, and its answer was not lost, and nobody was told`);
    count++;
  }
  return count;
}
interface Told {
  readonly delivered: ReadonlyMap<string, string>;
  readonly unheard: ReadonlySet<string>;
  readonly twice: ReadonlySet<string>;
}
/** Over all of a house: one wish has one grant, however often it was asked. */
function everyOneAsked(rows: readonly LedgerRow[], { delivered, unheard, twice }: Told, load: Load): void {
  // What was lost under a key is asked for twice: under its key by who wants it, and without one by who tries to use it again.
  const marks = minted(rows).flatMap(({ purpose }) => (twice.has(String(purpose)) ? [] : [purpose]));
  assert.equal(new Set(marks).size, marks.length, 'two grants for one wish');
  const stands = new Set(minted(rows).map(({ jti }) => jti));
  for (const jti of delivered.keys()) assert.ok(stands.has(jti), `${jti} was delivered, and has no entry`);
  assert.ok(unheard.size <= (load.counts.get('lost') ?? 0));
}

function kept(): Partial<Seen> {
  try {
    return JSON.parse(readFileSync(STATE, 'utf8')) as Partial<Seen>;
  } catch {
    return {};
  }
}
function keep(): void {
  mkdirSync(dirname(STATE), { recursive: true });
  writeFileSync(STATE, JSON.stringify(seen));
}
function tell(whole: boolean): void {
  if (!process.stderr.isTTY && !whole) return;
  const rate = ((seen.kills - before) / (performance.now() - began)) * 60_000;
  const line = `${seen.kills} of ${options.times} kills, ${seen.midGrant} with answers under way, ${seen.granted} granted, ${seen.lostAnswers} answers lost, ${rate.toFixed(0)} a minute`;
  process.stderr.write(process.stderr.isTTY ? `\r${line}\x1b[K${whole ? '\n' : ''}` : `${line}\n`);
}
