import assert from 'node:assert/strict';
import type { DatabaseSync } from 'node:sqlite';
import { describe, it } from 'node:test';
import { GENESIS, verifyChain } from '../../../src/store/chain.ts';
import type { Batch } from '../../../src/store/store.ts';
import { openForWriting } from '../../../src/store/store-sqlite-open.ts';
import { HOLDS, LATE, type Landed, pack } from '../../../src/store/store-sqlite-pack.ts';
import { rowOf } from '../../../src/store/store-sqlite-tail.ts';
import { createWriter, passingIn } from '../../../src/store/store-sqlite-writer.ts';

const T = 1_795_176_000;
const batch = (n: number, more: Partial<Batch<string>> = {}): Batch<string> => ({
  at: T,
  notAfter: T + 30,
  claims: [
    { key: `once/${n}`, version: 0, value: n, until: T + 60, else: 'taken' },
    { key: `retry/${n}`, version: 0, value: n, until: T + 86_400, else: 'taken' },
    { key: `wait/${n}`, version: 0, value: n, until: T + 86_400, terms: ['waits'], else: 'taken' },
    { sum: 'all', id: String(n), amount: 1, limit: 1e9, windowSeconds: 60, else: 'full' },
  ],
  entries: [{ body: { n }, terms: [`id/${n}`] }],
  ...more,
});
const flight = (batches: readonly Batch<string>[], now = T) => ({
  batches: batches.map(pack),
  now,
  read: process.hrtime.bigint(),
  watched: [],
  heard: 0,
});
/** `db`: what the writer is given in its stead. */
const writerOf = (db: DatabaseSync, stead = db, passing = passingIn(db)) =>
  createWriter({ db: stead, path: ':memory:', head: { seq: 0, hash: GENESIS }, passing });
const outcomes = (landed: Landed) => (landed.ok ? landed.outcomes : landed.what);
const count = (db: DatabaseSync, table: string): number => Number(db.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.['n']);

/** A database whose next statement of this text fails as SQLite's would. */
function failing() {
  const db = openForWriting(':memory:');
  const faults = new Map<string, number>();
  const wrapped = new Proxy(db, {
    get(target, name) {
      if (name === 'exec') {
        return (sql: string): void => {
          const errcode = faults.get(sql);
          faults.delete(sql);
          if (errcode !== undefined) throw Object.assign(new Error('injected'), { errcode });
          target.exec(sql);
        };
      }
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { db, faults, writer: writerOf(db, wrapped) };
}

describe('a transaction that fails', () => {
  const IOERR_FSYNC = 1034;
  const FULL = 13;
  const BUSY = 5;
  const cases = [
    ['a failed fsync', 'COMMIT', IOERR_FSYNC, 'disk', true],
    ['a full disk', 'COMMIT', FULL, 'disk', false],
    ['somebody else in the file', 'BEGIN IMMEDIATE', BUSY, 'busy', false],
    ['a disk that cannot be read', 'BEGIN IMMEDIATE', 266, 'disk', false],
  ] as const;
  for (const [what, at, errcode, said, poisons] of cases) {
    it(`leaves nothing behind, and ${poisons ? 'ends the store' : 'the next one holds'}: ${what}`, () => {
      const { db, faults, writer } = failing();
      assert.deepEqual(outcomes(writer.write(flight([batch(1)]))), [HOLDS]);
      faults.set(at, errcode);
      const landed = writer.write(flight([batch(2), batch(3)]));
      assert.equal(landed.ok, false);
      assert.deepEqual([outcomes(landed), !landed.ok && landed.poisoned], [said, poisons]);
      assert.deepEqual([count(db, 'entry'), count(db, 'key'), count(db, 'member'), count(db, 'soon'), count(db, 'later')], [1, 1, 1, 1, 1]);
      const next = writer.write(flight([batch(2), batch(1)]));
      assert.deepEqual(outcomes(next), poisons ? 'poisoned' : [HOLDS, 0]);
      assert.equal(count(db, 'entry'), poisons ? 1 : 2);
      assert.equal(writer.tidy(0).ok, !poisons);
      const rows = db.prepare('SELECT seq, hash, body FROM entry ORDER BY seq').all().map(rowOf);
      assert.equal(verifyChain(rows).ok, true, 'the chain goes on from the last entry that is there');
    });
  }
  it('forgets which kinds of keys it was the first to have', () => {
    const { db, faults, writer } = failing();
    faults.set('COMMIT', FULL);
    assert.equal(outcomes(writer.write(flight([batch(1)]))), 'disk');
    assert.deepEqual(outcomes(writer.write(flight([batch(1), batch(1)]))), [HOLDS, 0]);
    const next = passingIn(db);
    for (const key of ['once/1', 'retry/1']) assert.deepEqual(next.value(key, T), { version: 1, value: '1' }, key);
    assert.deepEqual(outcomes(writerOf(db).write(flight([batch(1)]))), [0]);
  });
  it('ends the store where it cannot be taken back', () => {
    const { faults, writer } = failing();
    faults.set('COMMIT', FULL).set('ROLLBACK', IOERR_FSYNC);
    assert.equal(outcomes(writer.write(flight([batch(1)]))), 'disk');
    assert.equal(outcomes(writer.write(flight([batch(1)]))), 'poisoned');
  });
});

it('counts the time that a batch waited against its last second', () => {
  const db = openForWriting(':memory:');
  const writer = writerOf(db);
  const waited = (seconds: bigint) => ({
    ...flight([batch(1), batch(2, { notAfter: T + 100 })]),
    read: process.hrtime.bigint() - seconds * 1_000_000_000n,
  });
  assert.deepEqual(outcomes(writer.write(waited(31n))), [LATE, HOLDS]);
  assert.deepEqual(outcomes(writer.write(waited(30n))), [HOLDS, 0]);
});

it('forgets what has ended, a little with every transaction', () => {
  const db = openForWriting(':memory:');
  const writer = writerOf(db);
  const tables = ['key', 'term', 'soon', 'later', 'member', 'part', 'span'];
  for (let n = 0; n < 300; n++) {
    writer.write(flight([batch(n)]));
    writer.tidy(0);
  }
  assert.deepEqual(
    tables.map((table) => count(db, table)),
    [300, 300, 300, 300, 300, 1, 1],
  );
  const later = T + 90_000;
  const one = (n: number): Batch<string> => ({
    at: later,
    notAfter: later,
    claims: [{ key: `once/${n}`, version: 0, value: n, until: later + 5, else: 'taken' }],
    entries: [],
  });
  writer.write(flight([one(1_000)], later));
  assert.ok(count(db, 'key') >= 290 && count(db, 'later') === 300, 'no transaction pays for all of it');
  for (let n = 1_001; n < 1_400; n++) writer.write(flight([one(n)], later));
  assert.deepEqual(
    tables.map((table) => count(db, table)),
    [0, 0, 400, 0, 0, 0, 0],
  );
});

it('reads back each key as it stood last, whatever of its past was forgotten', () => {
  const db = openForWriting(':memory:');
  const open = () => writerOf(db);
  const writer = open();
  const put = (key: string, version: number, at: number, until?: number): void => {
    const claim = { key, version, value: at, ...(until !== undefined && { until }), else: 'taken' };
    assert.deepEqual(outcomes(writer.write(flight([{ at, notAfter: at, claims: [claim], entries: [] }], at))), [HOLDS]);
  };
  put('shortened', 0, T, T + 900);
  put('shortened', 1, T, T + 5);
  put('kept', 0, T, T + 900);
  put('kept', 1, T);
  for (let at = T + 100; at < T + 200; at++) put(`other${at}`, 0, at, at + 1);
  const at = T + 200;
  const expected: readonly (readonly [string, number])[] = [
    ['shortened', 0],
    ['kept', 2],
  ];
  for (const now of [writer, open()]) {
    for (const [key, version] of expected) {
      const check: Batch<string> = { at, notAfter: at, claims: [{ key, version, else: 'other' }], entries: [] };
      assert.deepEqual(outcomes(now.write(flight([check], at))), [HOLDS], key);
    }
  }
});

it('keeps a sum in parts, whatever the number of its members', () => {
  const db = openForWriting(':memory:');
  const writer = writerOf(db);
  for (let i = 0; i < 100; i++) {
    const batches = Array.from({ length: 50 }, (_, j): Batch<string> => {
      const claim = { sum: 's', id: `${i}.${j}`, amount: 1, limit: 1e9, windowSeconds: 86_400, else: 'full' };
      return { at: T + i * 800, notAfter: T + 1e6, entries: [], claims: [j % 2 ? claim : { ...claim, until: T + i * 800 + 300 }] };
    });
    writer.write(flight(batches, T + i * 800));
  }
  assert.ok(count(db, 'part') < 70);
});

it('finds short-lived keys that memory had no room for', () => {
  const db = openForWriting(':memory:');
  const passing = passingIn(db);
  passing.soon.names.held.hasRoom = () => false;
  const writer = writerOf(db, db, passing);
  const seen = (version: number, value: number, at = T): Batch<string> => ({
    at,
    notAfter: at,
    claims: [{ key: 'once/a', version, value, until: at + 60, else: 'taken' }],
    entries: [],
  });
  assert.deepEqual(outcomes(writer.write(flight([seen(0, 1), seen(0, 1), seen(1, 2)]))), [HOLDS, 0, HOLDS]);
  assert.deepEqual([count(db, 'soon'), count(db, 'later'), count(db, 'key')], [0, 1, 0]);
  for (const now of [passing, passingIn(db)]) assert.deepEqual(now.value('once/a', T + 60), { version: 2, value: '2' });
  assert.equal(passing.value('once/a', T + 61), undefined);
  passing.soon.names.held.hasRoom = () => true;
  const later = T + 61;
  assert.deepEqual(outcomes(writer.write(flight([seen(2, 3, later), seen(0, 3, later)], later))), [0, HOLDS]);
  for (const now of [passing, passingIn(db)]) assert.deepEqual(now.value('once/a', later), { version: 1, value: '3' });
  assert.equal(count(db, 'soon'), 1);
});
