import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FLAWS, GENESIS, judgeTail, link, MOST_TORN, type Row, repairBody, START, verifyChain } from '../../../src/store/chain.ts';
import { canonical } from '../../../src/wire/digest.ts';

function rows(count: number): Row[] {
  const made: Row[] = [];
  let hash = GENESIS;
  for (let seq = 1; seq <= count; seq++) {
    const body = `{"n":${seq}}`;
    hash = link(hash, body);
    made.push({ seq, hash, body });
  }
  return made;
}
const edit = (index: number, change: Partial<Row>) => (made: Row[]) => made.with(index, { ...(made[index] as Row), ...change });
const last = (made: readonly Row[]): Row => made.at(-1) as Row;

describe('the chain', () => {
  it('is SHA-256 over the hash before and the body', () => {
    // printf '%064d\n{"n":1}' 0 | sha256sum
    assert.equal(link(GENESIS, '{"n":1}'), 'bad665c38a61c1ef00dd9dc15e77b0099ac6e73233027efbc233ebbc6fd6f4ef');
  });
  it('verifies whole, empty, and from any entry on', () => {
    const made = rows(5);
    assert.deepEqual(verifyChain(made), { ok: true, count: 5, head: { seq: 5, hash: last(made).hash } });
    assert.deepEqual(verifyChain([]), { ok: true, count: 0, head: START });
    assert.deepEqual(verifyChain(made.slice(3), made[2]), { ok: true, count: 2, head: { seq: 5, hash: last(made).hash } });
  });

  const changes: readonly (readonly [string, (made: Row[]) => readonly Row[], number, keyof typeof FLAWS])[] = [
    ['a changed body', edit(2, { body: '{"n":9}' }), 3, 'hash'],
    ['a body with a space', edit(2, { body: '{"n": 3}' }), 3, 'hash'],
    ['a changed hash', edit(2, { hash: GENESIS }), 3, 'hash'],
    ['a changed body whose hash was made to fit', (m) => edit(2, { body: '{}', hash: link(m[1]?.hash ?? '', '{}') })(m), 4, 'hash'],
    ['a body that is no JSON', edit(2, { body: '{"n":' }), 3, 'body'],
    ['a body that is no object', edit(2, { body: '[]' }), 3, 'body'],
    ['a missing first entry', (m) => m.slice(1), 1, 'gap'],
    ['a missing entry', (m) => m.toSpliced(2, 1), 3, 'gap'],
    ['missing entries', (m) => m.toSpliced(1, 3), 2, 'gap'],
    ['two entries exchanged', (m) => m.with(2, m[3] as Row).with(3, m[2] as Row), 3, 'gap'],
    ['an entry twice', (m) => m.toSpliced(2, 0, m[1] as Row), 2, 'order'],
    ['an entry of number zero', (m) => m.toSpliced(0, 0, { seq: 0, hash: GENESIS, body: '{}' }), 0, 'order'],
  ];
  for (const [what, change, seq, flaw] of changes) {
    it(`names the first bad entry: ${what}`, () => {
      assert.deepEqual(verifyChain(change(rows(5))), { ok: false, seq, flaw, why: FLAWS[flaw] });
    });
  }
});

describe('a repair', () => {
  const torn = (made: readonly Row[], count: number, at = 1_000): Row[] => {
    const good = made.slice(0, -count);
    const body = canonical(repairBody(at, good.at(-1) ?? START, made.slice(-count)));
    return [...good, { seq: made.length + 1, hash: link(good.at(-1)?.hash ?? GENESIS, body), body }];
  };
  it('stands for exactly the rows that it names', () => {
    const repaired = torn(rows(5), 2);
    assert.equal(verifyChain(repaired).ok, true);
    assert.deepEqual(
      repaired.map((row) => row.seq),
      [1, 2, 3, 6],
    );
    assert.deepEqual(verifyChain(repaired.toSpliced(2, 1)), { ok: false, seq: 3, flaw: 'gap', why: FLAWS.gap });
    assert.equal(verifyChain(torn(rows(3), 3)).ok, true, 'all of a short ledger');
  });
  it('has one id, made of what it repairs', () => {
    const a = JSON.parse(torn(rows(5), 2).at(-1)?.body ?? '');
    assert.match(a.exchange, /^exc_000003e8[0-9a-f]{24}$/);
    assert.notEqual(a.exchange, JSON.parse(torn(rows(5), 1).at(-1)?.body ?? '').exchange);
    assert.deepEqual([a.kind, a.at, a.first, a.count], ['repair', 1000, 4, 2]);
  });
});

describe('the tail', () => {
  const garbage = (seq: number): Row => ({ seq, hash: 'f'.repeat(64), body: '{"n":' });
  const cases: readonly (readonly [string, readonly Row[], string])[] = [
    ['nothing', [], 'whole'],
    ['a good chain', rows(6), 'whole'],
    ['a last row cut short', edit(5, { body: '{"n":' })(rows(6)), 'torn'],
    ['a last row whose hash does not follow', edit(5, { hash: GENESIS })(rows(6)), 'torn'],
    ['three rows of garbage', [...rows(3), garbage(4), garbage(5), garbage(6)], 'torn'],
    ['nothing but garbage', [garbage(1), garbage(2)], 'torn'],
    ['as much garbage as a transaction writes', [...rows(3), ...Array.from({ length: MOST_TORN }, (_, i) => garbage(4 + i))], 'torn'],
    ['more than that', [...rows(3), ...Array.from({ length: MOST_TORN + 1 }, (_, i) => garbage(4 + i))], 'broken'],
    ['a bad row with a good one after it', edit(4, { body: '{}' })(rows(6)), 'broken'],
    ['a bad hash with a row after it that follows from the right one', edit(4, { hash: GENESIS })(rows(6)), 'broken'],
    ['garbage with a good row after it', [...edit(3, { body: '{' })(rows(6))], 'broken'],
    ['a missing row before the last', rows(6).toSpliced(4, 1), 'broken'],
    ['garbage after a missing row', [...rows(3), garbage(5)], 'broken'],
    ['a hole within the garbage', [...rows(3), garbage(4), garbage(6)], 'broken'],
  ];
  for (const [what, tail, is] of cases) it(`is ${is}: ${what}`, () => assert.equal(judgeTail(tail, START).is, is));
});
