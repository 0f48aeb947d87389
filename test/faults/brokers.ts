/**
 * Two brokers under load while one fault strikes again and again, at random moments: what agents were told is compared with the ledger, both
 * ways. Answers that come later than they should are counted, since the machine may be busy with others; what is lost or won twice throws.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { openAt } from '../services/redis-room.ts';
import { FAULTS, type FaultName, grants, PLAIN } from './broker-faults.ts';
import { type LedgerRow, nothingTwice } from './checks.ts';
import type { Fault, Struck } from './fault.ts';
import { eventually } from './harness.ts';
import { type Load, type Outcome, said, UNAVAILABLE } from './load.ts';
import { health, LOOKS, openPair, type Pair, readChains, type Side, settled } from './pair.ts';

/** A refusal comes so soon once the broker knows. */
const AT_ONCE_MS = 100;
const BACK_MS = 2_000;
/** /readyz looks once a second. */
const READY_MS = 3_000;

export interface Summary {
  readonly fault: FaultName;
  readonly times: number;
  readonly asked: number;
  readonly granted: number;
  readonly unavailable: number;
  readonly lost: number;
  readonly entries: number;
  /** Refusals by a broker that knew, the slowest of them, and how many took longer than they should. Milliseconds. */
  readonly refusals: number;
  readonly slowestMs: number;
  readonly late: number;
  /** Until both granted again after the fault had ended. Milliseconds. */
  readonly backMs: readonly number[];
  /** Shown again, and refused each time. */
  readonly replayed: number;
  readonly notes: readonly string[];
  /** What each time consisted of: when each part of it was over. Milliseconds from its beginning. */
  readonly parts: Readonly<Record<string, readonly number[]>>;
  /** What the ledger says of those who were told 503, once it could be written again: how many of each. */
  readonly reasons: Readonly<Record<string, number>>;
}
/** What became of one wish, wherever and however often it was asked. */
interface Tried {
  readonly won: Set<string>;
  doubtful: boolean;
}
interface Run {
  readonly tried: Map<string, Tried>;
  readonly counts: { asked: number; granted: number; unavailable: number; lost: number };
  stop(): Promise<void>;
}

/** Agents at both doors until they are stopped; each fifth asks both at once with the same bytes. */
function ask(pair: Pair): Run {
  const tried = new Map<string, Tried>();
  const counts = { asked: 0, granted: 0, unavailable: 0, lost: 0 };
  let going = true;
  function hear(of: Tried, outcome: Outcome): void {
    counts.asked++;
    const [status, error] = said(outcome);
    if (outcome.is === 'answered' && status === 200) {
      counts.granted++;
      const token = String(outcome.answer.body['access_token']);
      of.won.add(String((JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { jti: string }).jti));
    } else if (status === 503 || status === 500 || status === 'lost') {
      if (status === 'lost') counts.lost++;
      else counts.unavailable++;
      of.doubtful = true;
    } else if (error === undefined && outcome.is !== 'refused') throw new Error(`an answer of no kind: ${String(status)}`);
  }
  async function agent(load: Load, other: Load): Promise<void> {
    while (going) {
      const mark = randomUUID();
      const wish = load.wish({ mark });
      const of: Tried = { won: new Set(), doubtful: false };
      tried.set(mark, of);
      const contended = Math.random() < 0.2;
      const sent = load.make(wish);
      const outcomes = await Promise.all([load.send(sent), ...(contended ? [other.send({ ...sent })] : [])]);
      for (const outcome of outcomes) hear(of, outcome);
      const first = said(outcomes[0] as Outcome);
      // Asked anew: under its key if it has one, since the first one may stand.
      if (first[1] === 'use_dpop_nonce' || (wish.key !== undefined && first[0] === 'lost')) hear(of, await load.send(load.make(wish)));
      if (first[0] === 'refused' || first[0] === 503) await sleep(10);
    }
  }
  async function minting({ clients }: Side): Promise<void> {
    while (going) {
      const action = await clients.action();
      const reply = action && (await clients.redeem(action));
      if (action && reply?.status === 200) await clients.receipt(action.txn);
      await sleep(30);
    }
  }
  const [one, two] = pair.sides;
  const agents = pair.sides.flatMap((side) => Array.from({ length: 3 }, () => agent(side.load, side === one ? two.load : one.load)));
  const all = Promise.all([...agents, ...pair.sides.map(minting)]);
  return {
    tried,
    counts,
    async stop() {
      going = false;
      await all;
    },
  };
}

/** Throws AssertionError on whatever must never be. `tell`: progress. */
export async function runFault(name: FaultName, times: number, tell: (text: string) => void = () => undefined): Promise<Summary> {
  const fault: Fault = FAULTS[name];
  await using pair = await openPair(fault.on ?? 'one', fault);
  await settled(pair);
  const notes: string[] = [];
  const parts: Record<string, number[]> = {};
  const refusals: number[] = [];
  const backMs: number[] = [];
  let replayed = 0;
  let run = ask(pair);
  // Whatever ends this, nobody asks for ever.
  await using _asking = {
    async [Symbol.asyncDispose]() {
      run.stop().catch(() => undefined);
    },
  };
  const sums = { asked: 0, granted: 0, unavailable: 0, lost: 0, entries: 0 };
  const took = (part: string, ms: number): void => {
    parts[part] = [...(parts[part] ?? []), Math.round(ms)];
  };
  const addUp = (): void => {
    for (const key of ['asked', 'granted', 'unavailable', 'lost'] as const) sums[key] += run.counts[key];
  };
  for (let i = 1; i <= times; i++) {
    await sleep(150 + Math.random() * 500);
    const [side, other] = Math.random() < 0.5 ? pair.sides : ([pair.sides[1], pair.sides[0]] as const);
    const struck: Struck = { pair, side, other, note: (what) => notes.push(what), took };
    await fault.begin(struck);
    const away = fault.away === 'both' ? pair.sides : fault.away === 'one' ? [side] : [];
    await Promise.all(away.map((each) => refuses(each, refusals)));
    if (fault.forgets) {
      await run.stop();
      addUp();
    }
    await fault.end(struck);
    if (fault.forgets) {
      for (const { load } of pair.sides) assert.ok(await eventually(async () => said(await load.ask())[0] !== 503));
      for (const { load } of pair.sides) replayed += await neverAgain(load, 6);
      await settled(pair);
      run = ask(pair);
    }
    const began = performance.now();
    for (const each of pair.sides) assert.ok(await eventually(() => grants(each), 30_000), `${each.door} grants nothing any more`);
    backMs.push(performance.now() - began);
    const after = Object.entries(parts).map(([part, all]) => `, ${part} after ${all.at(-1)} ms`);
    tell(
      `${i} of ${times}, ${sums.granted + run.counts.granted} granted${after.join('')}, back after ${Math.round(backMs.at(-1) ?? 0)} ms`,
    );
  }
  await run.stop();
  addUp();
  // Where the memory may have begun anew, what is a little older is told to come again: that is no grant either.
  for (const { load } of pair.sides) replayed += await (fault.on || fault.forgets ? neverAgain(load, 12) : nothingTwice(load, 6));
  const strays = async (): Promise<readonly unknown[]> => straysOf(pair, (await readChains(pair)).rows);
  assert.ok(await eventually(async () => (await strays()).length === 0, 40_000), `orphans: ${JSON.stringify(await strays())}`);
  for (const { broker } of pair.sides) assert.deepEqual(await broker?.stop(), { code: 0, signal: null });
  const { rows, report } = await readChains(pair);
  assert.equal(report.bad, undefined);
  assert.deepEqual(report.unsealed, []);
  compare(run.tried, rows);
  if (!fault.on) await budgetsHold(pair, rows);
  const { entries: _, ...counted } = sums;
  const late = refusals.filter((ms) => ms > AT_ONCE_MS).length;
  const slowestMs = Math.max(0, ...refusals);
  return {
    fault: name,
    times,
    ...counted,
    entries: rows.length,
    refusals: refusals.length,
    slowestMs,
    late,
    backMs,
    replayed,
    notes,
    parts,
    reasons: reasonsOf(rows),
  };
}
function reasonsOf(rows: readonly LedgerRow[]): Readonly<Record<string, number>> {
  const reasons: Record<string, number> = {};
  for (const { kind, reason, detail } of rows) {
    if (kind !== 'faulted' && reason !== 'unavailable') continue;
    const name = [reason, detail].filter((part) => part !== null).join(' ');
    reasons[name] = (reasons[name] ?? 0) + 1;
  }
  return reasons;
}
/** What was used up is shown again, whole: no grant. */
async function neverAgain(load: Load, sample: number): Promise<number> {
  const used = load.used.slice(-sample);
  for (const sent of used) {
    const { key: _, ...wish } = sent.wish;
    const { assertion, proof } = sent;
    let [status, error] = said(await load.send(load.make(wish, { assertion, proof })));
    // Asked for a newer proof, it has one; the assertion was spent by that no, if it was not before.
    if (error === 'use_dpop_nonce') [status, error] = said(await load.send(load.make(wish, { assertion })));
    assert.ok(error === 'invalid_client' || status === 503, `what was used up: ${status} ${error}`);
  }
  return used.length;
}
/** It comes to know, refuses at once from then on, says that it is not ready, and lives. */
async function refuses({ door, load }: Side, times: number[]): Promise<void> {
  const plain = (): Promise<Outcome> => load.ask(load.wish(PLAIN));
  assert.ok(await eventually(async () => said(await plain())[0] === 503, 10_000), `${door} does not notice`);
  for (let i = 0; i < 5; i++) {
    const began = performance.now();
    assert.deepEqual(said(await plain()), UNAVAILABLE);
    times.push(performance.now() - began);
  }
  assert.ok(await eventually(async () => String(await health(door)) === '503,200', READY_MS), `${door} says ${await health(door)}`);
}

/** What was told against what stands there, and the other way round. */
function compare(tried: ReadonlyMap<string, Tried>, rows: readonly LedgerRow[]): void {
  const minted = new Map<string, string>();
  for (const { kind, jti, again, purpose } of rows as readonly (LedgerRow & { readonly purpose: string | null })[]) {
    if (kind !== 'minted' || jti === null || again === true || purpose === null) continue;
    assert.ok(!minted.has(jti), `${jti} was minted twice`);
    minted.set(jti, purpose);
  }
  const byMark = new Map<string, number>();
  for (const [jti, mark] of minted) {
    byMark.set(mark, (byMark.get(mark) ?? 0) + 1);
    const of = tried.get(mark);
    assert.ok(of, `${jti} was granted, and nobody asked for it`);
    assert.ok(of.won.has(jti) || of.doubtful, `${jti} was granted, and nobody was told`);
  }
  for (const [mark, { won }] of tried) {
    assert.ok(won.size <= 1, `${mark} was won ${won.size} times`);
    for (const jti of won) assert.equal(minted.get(jti), mark, `${jti} was delivered, and has no entry`);
    assert.ok((byMark.get(mark) ?? 0) <= 1, `${mark} has ${byMark.get(mark)} grants`);
  }
}
interface Reserved {
  readonly [budget: string]: { readonly sum: string; readonly amount: number };
}
/** No more was granted than the limit allows, and the sum in the store is what the entries say. */
async function budgetsHold(pair: Pair, rows: readonly LedgerRow[]): Promise<void> {
  const spent = new Map<string, number>();
  for (const { kind, again, reserved } of rows as readonly (LedgerRow & { readonly reserved: Reserved | null })[]) {
    if (kind !== 'minted' || again === true) continue;
    for (const [budget, { sum, amount }] of Object.entries(reserved ?? {})) {
      spent.set(sum, (spent.get(sum) ?? 0) + amount);
      if (budget === 'looks') assert.ok((spent.get(sum) ?? 0) <= LOOKS, `${spent.get(sum)} of ${LOOKS} looks`);
    }
  }
  const store = await openAt(await pair.place());
  try {
    const sums = [...spent.keys()];
    const found = await store.look(
      [],
      sums.map((sum) => ({ sum, windowSeconds: 86_400 })),
    );
    assert.deepEqual(
      found.sums,
      sums.map((sum) => spent.get(sum)),
    );
  } finally {
    await store.close();
  }
}
/** What works at the back end, reached nobody, and is named by no entry. */
function straysOf({ back, sides }: Pair, rows: readonly LedgerRow[]): readonly unknown[] {
  const named = new Set(rows.flatMap(({ kind, credential, txn }) => (kind === 'minted' && credential === 'fake' ? [txn] : [])));
  return back.outstanding().filter(({ user, txn }) => !sides.some(({ clients }) => clients.given.has(user)) && !named.has(txn));
}
export const slowBack = (summary: Summary): number => summary.backMs.filter((ms) => ms > BACK_MS).length;
