import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Room, T } from './store-room.ts';

export function sumsContract(on: Room): void {
  describe('sums', () => {
    it('let exactly seven of two hundred in', async () => {
      for (let i = 0; i < 5; i++) {
        const answers = await Promise.all(Array.from({ length: 200 }, (_, id) => on.commit([on.add(`${on.n}/${i}`, `${id}`, 1, 7)])));
        assert.equal(answers.filter((answer) => answer === undefined).length, 7);
        assert.equal(answers.filter((answer) => answer === 'full').length, 193);
        assert.equal(await on.sum(`${on.n}/${i}`), 7);
      }
    });
    it('replace an amount under its id, and never refuse what does not raise them', async () => {
      assert.equal(await on.commit([on.add(on.n, 'a', 60)]), undefined);
      assert.equal(await on.commit([on.add(on.n, 'b', 41)]), 'full');
      assert.equal(await on.commit([on.add(on.n, 'a', 20)]), undefined);
      assert.equal(await on.sum(on.n), 20);
      assert.equal(await on.commit([on.add(on.n, 'b', 80)]), undefined);
      assert.equal(await on.commit([on.add(on.n, 'b', 81)]), 'full');
      assert.equal(await on.sum(on.n), 100);
      assert.equal(await on.commit([on.add(on.n, 'b', 79, 10)]), undefined, 'a limit that was lowered since does not stop a settlement');
      assert.equal(await on.commit([on.add(on.n, 'a', 0, 10)]), undefined, 'nor a release');
      assert.equal(await on.sum(on.n), 79);
      assert.equal(await on.commit([on.add(on.n, 'c', 0, 10)]), undefined);
      assert.equal(await on.commit([on.add(on.n, 'd', Number.POSITIVE_INFINITY)]), 'full');
    });
    it('see the earlier claims of their own batch', async () => {
      assert.equal(await on.commit([on.add(on.n, 'a', 60), on.add(on.n, 'b', 60)]), 'full');
      assert.equal(await on.sum(on.n), 0);
      assert.equal(
        await on.commit([on.add(on.n, 'a', 60), on.add(on.n, 'a', 90), on.add(on.n, 'b', 10), on.add(`${on.n}/other`, 'a', 99)]),
        undefined,
      );
      assert.equal(await on.sum(on.n), 100);
      assert.equal(await on.commit([on.add(on.n, 'a', 0), on.add(on.n, 'c', 90)]), undefined);
      assert.equal(await on.sum(on.n), 100);
    });
    it('let an amount go past its end', async () => {
      await on.commit([on.add(on.n, 'a', 100, 100, { until: T + 60 })]);
      on.clock.at = T + 60;
      assert.equal(await on.sum(on.n), 100);
      assert.equal(await on.commit([on.add(on.n, 'b', 1)]), 'full');
      on.clock.at = T + 61;
      assert.equal(await on.sum(on.n), 0);
      assert.equal(await on.commit([on.add(on.n, 'b', 100)]), undefined);
      assert.equal(await on.commit([on.add(on.n, 'a', 1)]), 'full', 'what has gone is a new amount');
    });
    it('let an amount go with the window: never early, a sixtieth late at most, and the clock of a settlement is the first', async () => {
      for (const windowSeconds of [1, 60, 3600, 86_400]) {
        const name = `${on.n}/${windowSeconds}`;
        const rest = { windowSeconds };
        on.clock.at = T + 17;
        await on.commit([on.add(name, 'a', 50, 100, rest)]);
        on.clock.at += windowSeconds - 1;
        assert.equal(await on.sum(name, windowSeconds), 50);
        assert.equal(await on.commit([on.add(name, 'a', 100, 100, rest)]), undefined);
        assert.equal(await on.commit([on.add(name, 'b', 1, 100, rest)]), 'full');
        on.clock.at += 1 + Math.floor(windowSeconds / 60);
        assert.equal(await on.sum(name, windowSeconds), 0);
        assert.equal(await on.commit([on.add(name, 'b', 100, 100, rest)]), undefined);
      }
    });
    it('are judged by any window, also one that was never claimed by', async () => {
      const hour = { windowSeconds: 3600 };
      await on.commit([on.add(on.n, 'a', 6, 10, hour)]);
      on.clock.at += 3_000;
      await on.commit([on.add(on.n, 'b', 3, 10, hour), on.add(on.n, 'b', 3, 10, { windowSeconds: 86_400 })]);
      assert.equal(await on.sum(on.n, 600), 3);
      on.clock.at += 1_000;
      assert.equal(await on.sum(on.n, 3600), 3);
      assert.equal(await on.sum(on.n, 86_400), 9);
      assert.equal(await on.commit([on.add(on.n, 'c', 5, 10, hour), on.add(on.n, 'c', 5, 10, { windowSeconds: 86_400 })]), 'full');
      assert.equal(await on.commit([on.add(on.n, 'c', 5, 10, hour)]), undefined);
      assert.equal(await on.sum(on.n, 86_400), 14);
    });
    it('agree with what a look says', async () => {
      for (let i = 0; i < 60; i++) {
        const left = 100 - Number(await on.sum(on.n, 600));
        assert.equal(await on.commit([on.add(on.n, `over${i}`, left + 1, 100, { windowSeconds: 600 })]), 'full');
        if (left > 0)
          assert.equal(await on.commit([on.add(on.n, `in${i}`, Math.min(left, 1 + (i % 9)), 100, { windowSeconds: 600 })]), undefined);
        on.clock.at += 13;
      }
    });
  });
}
