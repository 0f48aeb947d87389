/** Terms of entries, on their way from the entries' rows into the index: a page is the same before, during and after. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { sqliteStore } from '../../../src/store/store-sqlite.ts';
import { openForWriting } from '../../../src/store/store-sqlite-open.ts';
import { createScanner } from '../../../src/store/store-sqlite-reader.ts';
import { Indexing, loadNewTerms, refOf, TOGETHER } from '../../../src/store/store-sqlite-terms.ts';
import { place, T } from './files.ts';

/** As many as are indexed together, and half as many more; every third is of the term `third`, which two keys have too. */
function made() {
  const db = openForWriting(place());
  const house = { db, indexing: new Indexing(db), add, expected, last: () => seq };
  const append = db.prepare('INSERT INTO entry VALUES (?, ?, ?, ?)');
  let seq = 0;
  function add(count: number): void {
    db.exec('BEGIN');
    for (let i = 0; i < count; i++) {
      seq++;
      const terms = seq % 3 === 0 ? [`id/${seq}`, 'third'] : seq % 7 === 0 ? [] : [`id/${seq}`];
      append.run(seq, 'hash', `{"seq":${seq}}`, terms.length > 0 ? JSON.stringify(terms) : null);
      house.indexing.added.add(seq, terms);
    }
    db.exec('COMMIT');
  }
  for (const key of ['a/key', 'z/key']) {
    db.prepare('INSERT INTO key VALUES (?, 1, ?, NULL, ?)').run(key, '1', '["third"]');
    db.prepare('INSERT INTO term VALUES (?, ?)').run('third', key);
  }
  add(TOGETHER + TOGETHER / 2);
  function expected(): readonly string[] {
    return ['a/key', ...Array.from({ length: Math.floor(seq / 3) }, (_, i) => refOf(3 * (i + 1))), 'z/key'];
  }
  return house;
}
type Scanner = ReturnType<typeof createScanner>;
function paged(scanner: Scanner, newestFirst: boolean): readonly string[] {
  const found: string[] = [];
  for (let after: string | undefined; ; ) {
    const page = scanner.scan({ term: 'third', limit: 97, newestFirst, ...(after !== undefined && { after }) }, T);
    found.push(...page.map(({ key }) => key));
    after = page.at(-1)?.key;
    if (page.length < 97) return found;
  }
}
function check(scanner: Scanner, house: ReturnType<typeof made>): void {
  const expected = house.expected();
  assert.deepEqual(paged(scanner, false), expected);
  assert.deepEqual(paged(scanner, true), [...expected].reverse());
  for (const seq of [1, 2, 3, 300, TOGETHER, TOGETHER + 1, house.last()]) {
    const rows = scanner.scan({ term: `id/${seq}`, limit: 5 }, T);
    assert.deepEqual(
      rows.map(({ key, value, hash }) => [key, value, hash]),
      seq % 3 !== 0 && seq % 7 === 0 ? [] : [[refOf(seq), { seq }, 'hash']],
    );
  }
}

it('pages are the same at every step, for whoever has heard of it, has not, or begins there', () => {
  const house = made();
  const slow = loadNewTerms(house.db);
  const [unaware, aware] = [createScanner(house.db, slow), createScanner(house.db, house.indexing.added)];
  const all = (): void => {
    for (const scanner of [unaware, aware, createScanner(house.db)]) check(scanner, house);
  };
  all();
  let steps = 0;
  for (let upTo: number | undefined; upTo === undefined; steps++) {
    upTo = house.indexing.step();
    all();
  }
  assert.ok(steps > 10);
  assert.equal(house.indexing.added.size, 0);
  assert.equal(loadNewTerms(house.db).size, 0);
  assert.equal(house.indexing.step(), undefined, 'nothing to do');
  house.add(100);
  check(aware, house);
  check(createScanner(house.db), house);
});

it('a process that dies in between begins again, and a step that fails leaves nothing', () => {
  const house = made();
  for (let i = 0; i < 5; i++) house.indexing.step();
  house.indexing = new Indexing(house.db);
  house.add(10);
  const exec = house.db.exec.bind(house.db);
  let commits = 0;
  house.db.exec = (sql) => {
    if (sql === 'COMMIT' && commits++ % 2 === 0) throw Object.assign(new Error('injected'), { errcode: 13 });
    exec(sql);
  };
  let failed = 0;
  for (let upTo: number | undefined; upTo === undefined; ) {
    try {
      upTo = house.indexing.step();
    } catch {
      failed++;
    }
    check(createScanner(house.db, house.indexing.added), house);
  }
  assert.ok(failed > 10);
  assert.equal(loadNewTerms(house.db).size, 0);
});

it('a running store finds its entries by their terms, before they are indexed and after, and when it opens again', async () => {
  const path = place();
  let store = await sqliteStore({ path, now: () => T });
  const write = (n: number) =>
    store.commit({
      at: T,
      notAfter: T,
      claims: [],
      entries: [
        { body: { n }, terms: [`id/${n}`] },
        { body: {}, terms: [] },
      ],
    });
  const found = async (n: number) => (await store.scan({ term: `id/${n}`, limit: 9 })).map(({ value }) => value);
  let next = 0;
  for (const count of [10, TOGETHER, 2 * TOGETHER, 100]) {
    await Promise.all(Array.from({ length: count }, () => write(next++)));
    for (let i = 0; i < 12; i++) await write(next++);
    for (let n = 0; n < next; n += 61) assert.deepEqual(await found(n), [{ n }]);
    assert.deepEqual(await found(next - 1), [{ n: next - 1 }]);
    await store.close();
    store = await sqliteStore({ path, now: () => T });
    for (let n = 0; n < next; n += 61) assert.deepEqual(await found(n), [{ n }]);
    assert.deepEqual(await found(next - 1), [{ n: next - 1 }]);
  }
  await store.close();
});
