import assert from 'node:assert/strict';
import { test } from 'node:test';
import { coalesce, type Told } from '../../../src/record/coalesce.ts';

/** A ledger that may be away: `lost` writes and does not say so, `down` does neither. */
function ledger() {
  const written = new Map<string, Told>();
  const state = { mood: 'well' as 'well' | 'down' | 'lost', firsts: 0, names: 0, tries: 0 };
  const many = coalesce({
    alone: () => false,
    onFirst: () => void state.firsts++,
    newName: () => `n${state.names++}`,
    async write(told, once) {
      state.tries++;
      await null;
      if (state.mood === 'down') throw new Error('down');
      if (!written.has(once)) written.set(once, told);
      if (state.mood === 'lost') throw new Error('nobody said so');
    },
  });
  return { many, state, written, total: () => [...written.values()].reduce((sum, { count }) => sum + count, 0) };
}

test('what is told once is told with how many there were', async () => {
  const { many, written, state } = ledger();
  for (let i = 0; i < 7; i++) many.takes('a', i < 3 ? 'client_unknown' : 'proof_bad');
  many.takes('b', 'proof_bad');
  assert.equal(state.firsts, 1);
  await many.tell();
  assert.deepEqual(
    [...written.values()].map(({ from, reason, count }) => `${from} ${reason} ${count}`),
    ['a client_unknown 3', 'a proof_bad 4', 'b proof_bad 1'],
  );
  await many.tell();
  assert.equal(written.size, 3);
  many.takes('a', 'proof_bad');
  assert.equal(state.firsts, 2, 'somebody is to tell again');
});
test('what has a place of its own is not taken', () => {
  let left = 2;
  const many = coalesce({ alone: () => left-- > 0, onFirst: () => undefined, newName: () => 'n', write: async () => undefined });
  assert.deepEqual(
    [1, 2, 3, 4].map(() => many.takes('a', 'proof_bad')),
    [false, false, true, true],
  );
});
test('while the ledger is away all of it waits, and then stands there once', async () => {
  const { many, state, written, total } = ledger();
  let taken = 0;
  for (const mood of ['down', 'lost', 'down', 'lost', 'lost', 'down'] as const) {
    state.mood = mood;
    for (let i = 0; i < 10; i++) taken += Number(many.takes(`a${i % 3}`, 'client_unknown'));
    await assert.rejects(many.tell());
  }
  state.mood = 'well';
  await many.tell();
  assert.equal(total(), taken);
  assert.equal(taken, 60);
  assert.ok(written.size <= 9, `${written.size}`);
});
test('what comes while it is being told is told too', async () => {
  const { many, total } = ledger();
  many.takes('a', 'client_unknown');
  const telling = many.tell();
  many.takes('a', 'client_unknown');
  many.takes('b', 'client_unknown');
  await Promise.all([telling, many.tell()]);
  await many.tell();
  assert.equal(total(), 3);
});
test('from very many addresses they are counted as one, and none is lost', async () => {
  const { many, written, total } = ledger();
  for (let i = 0; i < 5_000; i++) many.takes(`a${i}`, 'client_unknown');
  for (let i = 0; i < 500; i++) many.takes('a1', 'client_unknown');
  await many.tell();
  assert.equal(total(), 5_500);
  assert.ok(written.size <= 1_001);
  const of = (name: string): number => [...written.values()].find(({ from }) => from === name)?.count ?? 0;
  assert.deepEqual([of('a1'), of('others')], [501, 4_000]);
});
