/** Names of keys on their way from memory into runs, against a plain map: found at every step, by whoever reads, whatever dies in between. */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { describe, it } from 'node:test';
import { Held, nameOf, packPlace, WORDS } from '../../../src/store/store-sqlite-held.ts';
import { type Added, Log, loadLog, saltOf } from '../../../src/store/store-sqlite-log.ts';
import { loadRuns, Moves } from '../../../src/store/store-sqlite-moves.ts';
import { openForWriting } from '../../../src/store/store-sqlite-open.ts';
import { FULL, type News } from '../../../src/store/store-sqlite-runs.ts';
import { place } from './files.ts';

const T = 1_795_176_000;
const DAY = 86_400;
interface Kept {
  readonly version: number;
  readonly value: string;
  readonly until: number;
}

/** One process's writer on the file, and what its keys should be. */
class House {
  readonly path = place();
  readonly expected = new Map<string, Kept>();
  db = openForWriting(this.path);
  log = this.#log();
  moves = new Moves(this.db, this.log);
  salt = saltOf(this.db);
  readonly keys: string[] = [];
  /** As readers are told. */
  readonly added: Added[] = [];

  #log(): Log {
    return new Log(this.db, 'later', loadLog(this.db, 'later', loadRuns(this.db), 0));
  }
  /** The process dies and another begins. */
  again(): void {
    this.db.close();
    this.db = openForWriting(this.path);
    this.log = this.#log();
    this.moves = new Moves(this.db, this.log);
  }
  add(changes: Iterable<readonly [string, Kept]>): void {
    for (const [key, kept] of changes) {
      if (!this.expected.has(key)) this.keys.push(key);
      this.expected.set(key, kept);
      this.log.set(key, { ...kept, name: nameOf(this.salt, key) });
    }
    this.db.exec('BEGIN');
    const added = this.log.write();
    this.db.exec('COMMIT');
    if (added) {
      this.log.view.add(added, 0);
      this.added.push(added);
    }
    this.log.end();
  }
  fill(round: number, until = T + DAY): void {
    this.add(Array.from({ length: FULL }, (_, i) => [`retry/${round}.${i}`, { version: 1, value: `"${round}.${i}"`, until }] as const));
  }
  /** Every so-many-th key, and some that never were. */
  check(view = this.log.view, every = 7_919): void {
    for (let i = 0; i < this.keys.length; i += every) {
      const key = this.keys[i] ?? '';
      const kept = this.expected.get(key);
      const name = nameOf(this.salt, key);
      const found = view.names.find(name);
      assert.deepEqual(found && { ...view.read(name, found), until: found.until }, kept, key);
    }
    for (let i = 0; i < 9; i++) assert.equal(view.names.find(nameOf(this.salt, `retry/none.${i}`)), undefined);
  }
  /** Until nothing is left to do. */
  settle(each: (news: News | undefined) => void = () => {}): number {
    for (let steps = 1; ; steps++) {
      const before = JSON.stringify(this.state());
      const news = this.moves.step(Number.MAX_SAFE_INTEGER);
      each(news);
      if (!news && JSON.stringify(this.state()) === before) return steps;
    }
  }
  state(): readonly unknown[] {
    const one = (sql: string): unknown => Object.values(this.db.prepare(sql).get() ?? {});
    return [one('SELECT count(*), max(at) FROM leaf'), one('SELECT count(*) FROM sieve'), this.db.prepare('SELECT * FROM run').all()];
  }
  leaves(): number {
    return Number(this.db.prepare('SELECT count(*) AS n FROM leaf').get()?.['n']);
  }
  runs(): readonly (readonly [number, string])[] {
    return this.db
      .prepare('SELECT level, state FROM run ORDER BY level DESC')
      .all()
      .map((row) => [Number(row['level']), String(row['state'])]);
  }
}

describe('names that move', () => {
  it('are found at every step, in memory, in runs and in merged runs; the newest place counts', () => {
    const house = new House();
    let steps = 0;
    for (let round = 0; round < 9; round++) {
      house.fill(round);
      // A key of an earlier round is changed, one is taken away.
      if (round > 0) {
        house.add([[`retry/${round - 1}.7`, { version: 2, value: '"changed"', until: T + DAY }]]);
        const gone = `retry/${round - 1}.8`;
        house.expected.set(gone, { version: 1, value: '1', until: 0 });
        house.log.take(gone, nameOf(house.salt, gone));
        house.add([]);
      }
      steps += house.settle(() => house.check());
    }
    house.check(undefined, 7);
    assert.ok(steps > 9 * 16 + 128, String(steps));
    assert.deepEqual(house.runs(), [
      [1, 'whole'],
      [0, 'whole'],
    ]);
    assert.equal(house.log.view.names.held.size, 0);
  });

  it('are found by the next process, wherever the last one died', () => {
    const house = new House();
    for (let round = 0; round < 8; round++) {
      house.fill(round);
      for (let i = 0; i < 2 * round; i++) house.moves.step(Number.MAX_SAFE_INTEGER);
      house.again();
      house.check();
      house.settle();
    }
    house.fill(8);
    for (let deaths = 0; deaths < 5; deaths++) {
      for (let i = 0; i < 30 * deaths; i++) house.moves.step(Number.MAX_SAFE_INTEGER);
      house.again();
      house.check();
    }
    house.settle();
    house.again();
    house.check(undefined, 7);
    assert.deepEqual(house.runs(), [
      [1, 'whole'],
      [0, 'whole'],
    ]);
    assert.equal(house.leaves(), 2_048 + 256, 'nothing of the old runs is left');
  });

  it('are found by a reader that has not yet heard of the move', () => {
    const house = new House();
    const reader = loadLog(new DatabaseSync(house.path, { readOnly: true }), 'later', [], 0);
    const unheard: News[] = [];
    for (let round = 0; round < 8; round++) {
      house.fill(round);
      for (const places of house.added.splice(0)) reader.add(places, 0);
      for (;;) {
        const news = house.moves.step(reader.names.heard);
        if (news) reader.names.hear(news);
        if (news?.is === 'run') break;
      }
    }
    for (let i = 0; i < 400; i++) {
      const news = house.moves.step(reader.names.heard);
      if (news) unheard.push(news);
      if (i % 16 === 0) house.check(reader);
    }
    assert.deepEqual(
      unheard.map(({ is }) => is),
      ['run'],
      'eight runs have become one',
    );
    assert.equal(house.leaves(), 8 * 256 + 2_048, 'and stand as long as somebody may look there');
    for (const news of unheard) reader.names.hear(news);
    house.check(reader);
    for (let i = 0; i < 8; i++) house.moves.step(reader.names.heard);
    assert.equal(house.leaves(), 2_048);
    house.check(reader, 7);
  });

  it('go when their rows are forgotten, whole runs at a time', () => {
    const house = new House();
    for (let round = 0; round < 3; round++) {
      house.fill(round, T + round * 100);
      house.settle();
    }
    house.log.forget(T + 100);
    house.settle();
    assert.deepEqual(house.runs().length, 2);
    assert.equal(house.log.view.names.find(nameOf(house.salt, 'retry/0.1')), undefined);
    assert.equal(house.log.view.names.find(nameOf(house.salt, 'retry/1.1'))?.until, T + 100);
    house.log.forget(T + DAY);
    assert.ok(house.log.firstRow() <= house.log.lastRow, 'no transaction pays for all of it');
    while (house.log.firstRow() <= house.log.lastRow) house.log.forget(T + DAY);
    const last = house.log.lastRow;
    house.again();
    assert.equal(house.log.lastRow, last, 'no number is given twice while a run knows it');
    house.settle();
    assert.deepEqual([house.runs(), house.leaves(), house.state()[1]], [[], 0, [0]]);
    house.keys.length = 0;
    house.fill(3);
    house.again();
    house.check();
  });

  it('stand as they were when a step fails', () => {
    const house = new House();
    house.fill(0);
    const exec = house.db.exec.bind(house.db);
    let failing = 0;
    house.db.exec = (sql) => {
      if (sql === 'COMMIT' && failing++ % 2 === 0) throw Object.assign(new Error('injected'), { errcode: 13 });
      exec(sql);
    };
    let failed = 0;
    while (house.runs()[0]?.[1] !== 'whole') {
      const before = house.state();
      try {
        house.moves.step(0);
      } catch {
        failed++;
        assert.deepEqual(house.state(), before);
      }
      house.check();
    }
    assert.equal(failed, 17, 'one for the beginning, and one for every sixteen leaves');
    assert.equal(house.leaves(), 256);
  });
});

describe('names in memory', () => {
  it('agree with a map, through growth, changes and what ends', () => {
    const held = new Held();
    const expected = new Map<string, { readonly until: number; readonly row: number }>();
    const put = (key: string, until: number, row: number, before: number): void => {
      const words = new Uint32Array(WORDS);
      packPlace(words, 0, nameOf('salt', key), { until, row });
      held.put(words, 0, before);
      expected.set(key, { until, row });
    };
    for (let i = 1; i <= 40_000; i++) {
      put(`${(i * 7919) % 30_000}`, 1_000 + i, i + 2 ** 33, 0);
    }
    for (const [key, where] of expected) assert.deepEqual(held.find(nameOf('salt', key)), where);
    assert.equal(held.size, expected.size);
    const copy = new Held(held.shards());
    for (const [key, where] of expected) assert.deepEqual(copy.find(nameOf('salt', key)), where);
    assert.equal(copy.size, expected.size);
    for (let i = 0; i < 5_000; i++) assert.equal(held.find(nameOf('salt', `none ${i}`)), undefined);
    // What ended before is forgotten as shards fill: memory follows what lives, not what was.
    for (let i = 0; i < 200_000; i++) put(`more ${i}`, 100_000 + i, i + 1, 100_000 + i - 1_000);
    assert.ok(held.size < 8_000, String(held.size));
    for (let i = 199_001; i < 200_000; i++) assert.equal(held.find(nameOf('salt', `more ${i}`))?.row, i + 1);
  });
  it('has room for no more than so many that live, and finds room again', () => {
    const held = new Held();
    const words = new Uint32Array(WORDS);
    for (let i = 0; i < 5_000; i++) {
      packPlace(words, 0, nameOf('salt', `${i}`), { until: 1_000, row: 1 });
      held.put(words, 0, 0);
    }
    assert.equal(held.hasRoom(nameOf('salt', 'one'), 5_001, 900), true);
    assert.equal(held.hasRoom(nameOf('salt', 'one'), 5_000, 900), false);
    assert.equal(held.hasRoom(nameOf('salt', 'one'), 5_000, 1_001), true);
  });
});
