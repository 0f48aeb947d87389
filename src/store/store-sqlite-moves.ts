import type { DatabaseSync } from 'node:sqlite';
import { Held, rowAt, WORDS } from './store-sqlite-held.ts';
import type { Log } from './store-sqlite-log.ts';
import {
  bytesOf,
  DEEPEST,
  FANOUT,
  FULL,
  LEVEL_BITS,
  leafKey,
  leafOf,
  leavesOf,
  type News,
  newSieve,
  type Run,
  sieveOf,
  sift,
  wordsOf,
} from './store-sqlite-runs.ts';

/** Leaves that one step writes: the next transaction waits no longer for it than for another. */
const LEAVES_A_STEP = 16;
const DELETED_A_STEP = 256;

interface Making {
  readonly run: Run;
  /** The runs that it takes the place of; none: what is leaving. Oldest first. */
  readonly from: readonly Run[];
  /** The next leaf. */
  next: number;
}
interface Going {
  readonly run: number;
  readonly leaves: number;
  /** Readers that have heard so many news look there no longer. */
  readonly since: number;
  next: number;
}
/** In a transaction; then, once that is in the file, what it means. */
type Work = () => () => News | undefined;

/**
 * Moves names from memory into runs and runs into larger ones, a little at a time. What is not whole counts for nothing: until a run is,
 * the rows or runs that it is made from stand; a process that dies in between begins it again.
 */
export class Moves {
  readonly #db;
  readonly #log;
  readonly #sql;
  #making: Making | undefined;
  #merging: Making | undefined;
  #going: readonly Going[];
  #last: number;

  constructor(db: DatabaseSync, log: Log) {
    this.#db = db;
    this.#log = log;
    this.#sql = {
      begin: db.prepare("INSERT INTO run VALUES (?, ?, ?, 'made')"),
      state: db.prepare('UPDATE run SET state = ? WHERE run = ?'),
      leaf: db.prepare('INSERT INTO leaf VALUES (?, ?)'),
      sieve: db.prepare('INSERT INTO sieve VALUES (?, ?)'),
      read: db.prepare('SELECT names FROM leaf WHERE at = ?'),
      removeLeaves: db.prepare('DELETE FROM leaf WHERE at >= ? AND at < ?'),
      removeSieve: db.prepare('DELETE FROM sieve WHERE at >= ? AND at < ?'),
      remove: db.prepare('DELETE FROM run WHERE run = ?'),
    };
    const rows = db.prepare('SELECT run, level, state FROM run').all();
    this.#last = Math.max(0, ...rows.map((row) => Number(row['run'])));
    this.#going = rows
      .filter((row) => row['state'] !== 'whole')
      .map((row) => ({ run: Number(row['run']), leaves: leavesOf(Number(row['level'])), since: 0, next: 0 }));
  }

  /**
   * One step, if there is one to do, and what everybody must hear of it. `heard`: how many news the readers have heard. Throws what SQLite
   * throws, and then nothing was done.
   */
  step(heard: number): News | undefined {
    const work = this.#next(heard);
    if (!work) return undefined;
    this.#db.exec('BEGIN IMMEDIATE');
    let done: ReturnType<Work>;
    try {
      done = work();
      this.#db.exec('COMMIT');
    } catch (fault) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw fault;
    }
    const news = done();
    if (news) this.#names.hear(news);
    return news;
  }
  get #names() {
    return this.#log.view.names;
  }

  #next(heard: number): Work | undefined {
    if (this.#making) return this.#make(this.#making);
    if (this.#names.held.size >= FULL) return () => this.#leave();
    const [going] = this.#going;
    if (going && going.since <= heard) return () => this.#remove(going);
    if (this.#names.runs.length === 0) return undefined;
    const first = this.#log.firstRow();
    const ended = this.#names.runs.filter((run) => run.last < first && !this.#merging?.from.includes(run));
    if (ended.length > 0) return () => this.#drop(ended);
    if (this.#merging) return this.#make(this.#merging);
    for (let level = 0; level < DEEPEST; level++) {
      const runs = this.#names.runs.filter((run) => run.level === level);
      if (runs.length >= FANOUT) return () => this.#merge(runs.slice(-FANOUT).reverse());
    }
    return undefined;
  }

  #leave(): ReturnType<Work> {
    const run = this.#begin(0, this.#log.lastRow);
    return () => {
      this.#last = run.run;
      this.#making = { run, from: [], next: 0 };
      return { is: 'full' };
    };
  }
  #merge(from: readonly Run[]): ReturnType<Work> {
    const [oldest, newest] = [from[0], from.at(-1)];
    if (!oldest || !newest) throw new Error('there is nothing to merge');
    const run = this.#begin(oldest.level + 1, newest.last);
    return () => {
      this.#last = run.run;
      this.#merging = { run, from, next: 0 };
      return undefined;
    };
  }
  #begin(level: number, last: number): Run {
    const run: Run = { run: this.#last + 1, level, last, sieve: newSieve(level) };
    this.#sql.begin.run(run.run, level, last);
    return run;
  }

  #make(making: Making): Work {
    const { run, from, next } = making;
    return () => {
      if (from.length === 0) {
        const { leaving } = this.#names;
        for (let leaf = next; leaf < next + LEAVES_A_STEP; leaf++) this.#write(run, leaf, leaving?.places(leaf));
      } else {
        for (let leaf = next; leaf < next + LEAVES_A_STEP; leaf += FANOUT) this.#writeMerged(run, from, leaf);
      }
      this.#sql.sieve.run(leafKey(run.run, next), sieveOf(run, next, LEAVES_A_STEP));
      const whole = next + LEAVES_A_STEP === leavesOf(run.level);
      if (whole) {
        this.#sql.state.run('whole', run.run);
        for (const old of from) this.#sql.state.run('gone', old.run);
      }
      return () => {
        making.next += LEAVES_A_STEP;
        if (!whole) return undefined;
        if (from.length === 0) this.#making = undefined;
        else this.#merging = undefined;
        this.#letGo(from);
        return { is: 'run', run, instead: from.map((old) => old.run) };
      };
    };
  }
  #write(run: Run, leaf: number, places: Uint32Array | undefined): void {
    if (!places || places.length === 0) return;
    this.#sql.leaf.run(leafKey(run.run, leaf), bytesOf(places));
    sift(run, leaf, places);
  }
  /** A leaf of each old run holds the names of as many leaves of the new one. */
  #writeMerged(run: Run, from: readonly Run[], leaf: number): void {
    const first = this.#log.firstRow();
    const newest = new Held();
    const shard = leaf >>> (LEVEL_BITS * run.level);
    for (const old of from) {
      const words = wordsOf(this.#sql.read.get(leafKey(old.run, leaf / FANOUT))?.['names']);
      // A forgotten row's keys have ended, and so had, when it went, all that older rows say of them.
      for (let at = 0; at < words.length; at += WORDS) if (rowAt(words, at) >= first) newest.put(words, at, 0);
    }
    const all = newest.places(shard);
    const leaves = Array.from({ length: FANOUT }, (): number[] => []);
    for (let at = 0; at < all.length; at += WORDS) leaves[leafOf(run.level, all[at] ?? 0) - leaf]?.push(...all.subarray(at, at + WORDS));
    for (const [i, words] of leaves.entries()) this.#write(run, leaf + i, Uint32Array.from(words));
  }

  #drop(runs: readonly Run[]): ReturnType<Work> {
    for (const { run } of runs) this.#sql.state.run('gone', run);
    return () => {
      this.#letGo(runs);
      return { is: 'ended', runs: runs.map(({ run }) => run) };
    };
  }
  /** Called before the news of it is heard, which it takes part in. */
  #letGo(runs: readonly Run[]): void {
    const since = this.#names.heard + 1;
    this.#going = [...this.#going, ...runs.map(({ run, level }) => ({ run, leaves: leavesOf(level), since, next: 0 }))];
  }
  #remove(going: Going): ReturnType<Work> {
    const end = Math.min(going.next + DELETED_A_STEP, going.leaves);
    const [from, to] = [leafKey(going.run, going.next), leafKey(going.run, end)];
    this.#sql.removeLeaves.run(from, to);
    this.#sql.removeSieve.run(from, to);
    const gone = end === going.leaves;
    if (gone) this.#sql.remove.run(going.run);
    return () => {
      going.next = end;
      if (gone) this.#going = this.#going.slice(1);
      return undefined;
    };
  }
}

/** The runs that are whole, as the file has them. */
export function loadRuns(db: DatabaseSync): readonly Run[] {
  const sieves = db.prepare('SELECT at, bits FROM sieve WHERE at >= ? AND at < ? ORDER BY at');
  const rows = db.prepare("SELECT run, level, last FROM run WHERE state = 'whole'").all();
  return rows.map((row) => {
    const [run, level] = [Number(row['run']), Number(row['level'])];
    const made: Run = { run, level, last: Number(row['last']), sieve: newSieve(level) };
    const start = leafKey(run, 0);
    for (const part of sieves.all(start, leafKey(run, leavesOf(level)))) {
      made.sieve.set(wordsOf(part['bits']), (Number(part['at']) - start) * (made.sieve.length / leavesOf(level)));
    }
    return made;
  });
}
