import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { takeAway } from '../../src/store/store.ts';
import type { Json } from '../../src/wire/json.ts';
import { type Room, T } from './store-room.ts';

export function keysContract(on: Room): void {
  // How a key is kept may depend on how long it lives, so every law of keys is tried on each life.
  for (const [life, until] of [
    ['short', T + 120],
    ['a day', T + 86_400],
    ['for ever', undefined],
  ] as const) {
    const rest = until === undefined ? {} : { until };
    describe(`keys that live ${life}`, () => {
      it('are set once at version 0, then version by version', async () => {
        assert.equal(await on.get(`${on.n}/a`), undefined);
        assert.equal(await on.commit([on.put(`${on.n}/a`, 0, { x: 1 }, rest)]), undefined);
        assert.deepEqual(await on.get(`${on.n}/a`), { version: 1, value: { x: 1 } });
        assert.equal(await on.commit([on.put(`${on.n}/a`, 0, 2, rest)]), `${on.n}/a@0`);
        assert.equal(await on.commit([on.put(`${on.n}/a`, 2, 2, rest)]), `${on.n}/a@2`);
        assert.equal(await on.commit([on.put(`${on.n}/a`, 1, null, rest)]), undefined);
        assert.deepEqual(await on.get(`${on.n}/a`), { version: 2, value: null });
      });
      it('are only checked where no value is given', async () => {
        assert.equal(await on.commit([{ key: `${on.n}/a`, version: 0, else: 'there' }]), undefined);
        assert.equal(await on.commit([{ key: `${on.n}/a`, version: 1, else: 'absent' }]), 'absent');
        await on.commit([on.put(`${on.n}/a`, 0, 1, rest)]);
        assert.equal(await on.commit([{ key: `${on.n}/a`, version: 0, else: 'there' }]), 'there');
        assert.equal(await on.commit([{ key: `${on.n}/a`, version: 1, else: 'absent' }]), undefined);
        assert.deepEqual(await on.get(`${on.n}/a`), { version: 1, value: 1 });
      });
      it('hold with orSame where the very value stands, and stay as they are', async () => {
        const same = (value: Json) => on.put(`${on.n}/a`, 0, value, { ...rest, orSame: true });
        assert.equal(await on.commit([same({ a: [1, 'x'], b: { c: null } })]), undefined);
        assert.equal(await on.commit([same({ b: { c: null }, a: [1, 'x'] })]), undefined);
        assert.equal((await on.get(`${on.n}/a`))?.version, 1);
        assert.equal(await on.commit([same({ a: [1, 'y'], b: { c: null } })]), `${on.n}/a@0`);
        assert.equal(await on.commit([{ key: `${on.n}/a`, version: 0, orSame: true, else: 'there' }]), 'there');
      });
      it('see the earlier claims of their own batch', async () => {
        assert.equal(
          await on.commit([on.put(`${on.n}/a`, 0, 1, rest), on.put(`${on.n}/a`, 1, 2, rest), on.put(`${on.n}/a`, 1, 3, rest)]),
          `${on.n}/a@1`,
        );
        assert.equal(await on.get(`${on.n}/a`), undefined);
        assert.equal(await on.commit([on.put(`${on.n}/a`, 0, 1, rest), on.put(`${on.n}/a`, 1, 2, rest)]), undefined);
        assert.deepEqual(await on.get(`${on.n}/a`), { version: 2, value: 2 });
      });
      it('leave nothing where any claim of the batch fails, and name the first that does', async () => {
        await on.commit([on.put(`${on.n}/taken`, 0, 1, rest)]);
        const failed = await on.commit(
          [
            on.put(`${on.n}/a`, 0, 1, rest),
            on.add(`${on.n}/s`, 'i', 5),
            on.put(`${on.n}/taken`, 0, 2, rest),
            on.put(`${on.n}/taken`, 7, 2),
          ],
          {
            entries: [on.entry({ n: on.n }, on.n)],
          },
        );
        assert.equal(failed, `${on.n}/taken@0`);
        assert.equal(await on.get(`${on.n}/a`), undefined);
        assert.equal(await on.sum(`${on.n}/s`), 0);
        assert.deepEqual(await on.store.scan({ term: on.n, limit: 10 }), []);
      });
      it('go to one of fifty contenders, round after round', async () => {
        for (let i = 0; i < 40; i++) {
          const answers = await Promise.all(Array.from({ length: 50 }, (_, who) => on.commit([on.put(`${on.n}/${i}`, 0, who, rest)])));
          const winners = answers.flatMap((answer, who) => (answer === undefined ? [who] : []));
          assert.equal(winners.length, 1);
          assert.deepEqual(await on.get(`${on.n}/${i}`), { version: 1, value: winners[0] });
        }
      });
      it('take a race for the next version once', async () => {
        await on.commit([on.put(`${on.n}/a`, 0, 0, rest)]);
        for (let version = 1; version <= 20; version++) {
          const answers = await Promise.all(Array.from({ length: 20 }, () => on.commit([on.put(`${on.n}/a`, version, version, rest)])));
          assert.equal(answers.filter((answer) => answer === undefined).length, 1);
        }
        assert.equal((await on.get(`${on.n}/a`))?.version, 21);
      });
      it('are absent once they are taken away, whatever clock is asked, and begin anew', async () => {
        const a = on.put(`${on.n}/a`, 0, 1, { ...rest, terms: [`${on.n}/term`] });
        assert.equal(await on.commit([a, on.put(`${on.n}/b`, 0, 1, rest)]), undefined);
        const away = (version: number) => [takeAway(`${on.n}/a`, version, 'a'), takeAway(`${on.n}/b`, 1, 'b')];
        assert.equal(await on.commit(away(2)), 'a');
        assert.equal((await on.get(`${on.n}/a`))?.version, 1);
        assert.equal(await on.commit(away(1)), undefined);
        for (const at of [T, T - 20, T + 20]) {
          on.clock.at = at;
          assert.equal(await on.get(`${on.n}/a`), undefined);
          assert.equal(await on.get(`${on.n}/b`), undefined);
          assert.deepEqual(await on.store.scan({ term: `${on.n}/term`, limit: 10 }), []);
        }
        on.clock.at = T;
        const absent = ['a', 'b'].map((key) => ({ key: `${on.n}/${key}`, version: 0, else: key }));
        assert.equal(await on.commit(absent, { at: T - 20 }), undefined);
        assert.equal(await on.commit([a, on.put(`${on.n}/b`, 0, 2, rest)], { at: T - 20 }), undefined);
        assert.deepEqual(await on.get(`${on.n}/b`), { version: 1, value: 2 });
        assert.equal((await on.store.scan({ term: `${on.n}/term`, limit: 10 })).length, 1);
      });
      if (until !== undefined) {
        it('are absent past their end, for claims by the batch, for a look by the store', async () => {
          await on.commit([on.put(`${on.n}/a`, 0, 1, { ...rest, terms: [`${on.n}/term`] }), on.put(`${on.n}/b`, 0, 1, rest)]);
          on.clock.at = until;
          assert.equal((await on.get(`${on.n}/b`))?.version, 1);
          assert.equal(await on.commit([on.put(`${on.n}/b`, 0, 1, rest)]), `${on.n}/b@0`);
          assert.equal((await on.store.scan({ term: `${on.n}/term`, limit: 10 })).length, 1);
          on.clock.at = until + 1;
          assert.equal(await on.get(`${on.n}/b`), undefined);
          assert.deepEqual(await on.store.scan({ term: `${on.n}/term`, limit: 10 }), []);
          assert.equal(await on.commit([on.put(`${on.n}/b`, 1, 2)]), `${on.n}/b@1`);
          assert.equal(await on.commit([on.put(`${on.n}/b`, 0, 2, { orSame: true, until: until + 60 })]), undefined);
          assert.deepEqual(await on.get(`${on.n}/b`), { version: 1, value: 2 });
        });
      }
    });
  }

  it('keeps a key at its version when its life grows and shrinks', async () => {
    const lives = [60, 86_400, 30, undefined, 45, 3_600, undefined, 10];
    for (const [version, life] of lives.entries()) {
      assert.equal(await on.commit([on.put(`${on.n}/a`, version, version, life === undefined ? {} : { until: T + life })]), undefined);
      assert.deepEqual(await on.get(`${on.n}/a`), { version: version + 1, value: version });
    }
    on.clock.at = T + 11;
    assert.equal(await on.get(`${on.n}/a`), undefined);
    assert.equal(await on.commit([on.put(`${on.n}/a`, 0, 'again')]), undefined);
    on.clock.at = T + 100_000;
    assert.deepEqual(await on.get(`${on.n}/a`), { version: 1, value: 'again' });
  });

  it('burns a mark once among many batches that carry more', async () => {
    const tries = await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        on.commit([on.put(`once/${on.n}`, 0, 1, { until: T + 60 }), on.put(`${on.n}/${i}`, 0, i, { until: T + 86_400 })], {
          entries: [on.entry({ i }, on.n)],
        }),
      ),
    );
    assert.equal(tries.filter((failed) => failed === undefined).length, 1);
    assert.equal(tries.filter((failed) => failed === `once/${on.n}@0`).length, 99);
    assert.equal((await on.store.scan({ term: on.n, limit: 1000 })).length, 1);
  });
}
