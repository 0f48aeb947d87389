/** A list that changes while somebody reads it part by part. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { descending, partOf } from '../../../src/operate/page.ts';

const MANY = 2_500;
const name = (i: number): string => `row ${String(i).padStart(5, '0')}`;
const rows = Array.from({ length: MANY }, (_, i) => name(i));
const own = (row: string): string => row;

function walk(limit: number, of: (parts: number) => readonly string[]): readonly (readonly string[])[] {
  const parts: (readonly string[])[] = [];
  for (let after: string | undefined; ; ) {
    const part = partOf(of(parts.length), own, { limit, ...(after !== undefined && { after }) });
    parts.push(part.rows);
    after = part.next;
    if (after === undefined) return parts;
  }
}

test('each row is told once, in order, however many are told at a time', () => {
  for (const limit of [1, 7, 1_000, 1_250, MANY - 1, MANY, MANY + 1]) {
    const parts = walk(limit, () => rows.toReversed());
    assert.deepEqual(parts.flat(), rows, String(limit));
    assert.equal(parts.length, Math.ceil(MANY / limit));
  }
  assert.deepEqual(
    walk(5, () => []),
    [[]],
  );
});
test('what comes or goes meanwhile moves nobody else, not even where the last one told has gone', () => {
  const told = walk(1_000, (parts) =>
    parts === 0 ? rows : rows.filter((row) => row !== name(999) && row !== name(3)).concat(name(1_500.5), 'row'),
  ).flat();
  assert.deepEqual(told, [...rows.slice(0, 1_501), name(1_500.5), ...rows.slice(1_501)].toSorted());
});
test('numbers sort with the larger first', () => {
  const numbers = [0, 1, 9, 10, 1_795_000_000, Number.MAX_SAFE_INTEGER];
  assert.deepEqual(numbers.map(descending).toSorted(), numbers.toReversed().map(descending));
});
