import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { createRates, type Rates, type Tally } from '../../../src/http/rates.ts';

const START = 1_795_176_000;
/** A clock by hand, in ms from the beginning of a window. */
function made({ requests = 10, seconds = 10, tally }: { requests?: number; seconds?: number; tally?: Tally } = {}) {
  const clock = { ms: 0 };
  const rates = createRates({ requests, seconds, now: START, elapsed: () => clock.ms, ...(tally && { tally }) });
  return { rates, clock };
}
const times = (rates: Rates, count: number, name = 'a'): number =>
  Array.from({ length: count }, () => rates.take(name)).filter((wait) => wait === undefined).length;

describe('a rate', () => {
  test('lets through as many as it says, and the next once there is room', () => {
    const { rates, clock } = made();
    assert.equal(times(rates, 15), 10);
    const wait = rates.take('a');
    assert.equal(wait, 11_000, 'a whole window, and a tenth of the one after it');
    clock.ms = 10_999;
    assert.equal(rates.take('a'), 1);
    clock.ms = 11_000;
    assert.equal(rates.take('a'), undefined);
    assert.equal(rates.take('a'), 1_000);
  });
  test('is of one name: others have their own', () => {
    const { rates } = made();
    times(rates, 50, 'noisy');
    assert.equal(times(rates, 15, 'other'), 10);
  });
  test('is looked at without being used', () => {
    const { rates } = made();
    for (let i = 0; i < 50; i++) assert.equal(rates.look('a'), undefined);
    times(rates, 10);
    assert.equal(rates.look('a'), 11_000);
    assert.equal(rates.look('b'), undefined);
  });
  test('what was refused does not count: whoever keeps asking still gets the limit', () => {
    const { rates, clock } = made();
    let through = 0;
    for (clock.ms = 0; clock.ms < 100_000; clock.ms += 10) if (rates.take('a') === undefined) through++;
    assert.ok(through >= 85 && through <= 111, `${through} in ten windows`);
  });
  test('forgets whom it has not seen for two windows', () => {
    const { rates, clock } = made();
    times(rates, 10);
    clock.ms = 20_000;
    assert.equal(times(rates, 15), 10);
  });
  test('of one a second, and of one an hour', () => {
    const one = made({ requests: 1, seconds: 1 });
    assert.deepEqual([one.rates.take('a'), one.rates.take('a')], [undefined, 2_000]);
    const hour = made({ requests: 1, seconds: 3600 });
    assert.deepEqual([hour.rates.take('a'), hour.rates.take('a')], [undefined, 7_200_000]);
  });
  test('a flood of names leaves those of the last moment, and little memory', () => {
    const { rates } = made();
    times(rates, 10, 'first');
    for (let i = 0; i < 30_000; i++) rates.take(`n${i}`);
    assert.equal(times(rates, 15, 'n29999'), 9, 'still counted');
    assert.equal(times(rates, 15, 'first'), 10, 'forgotten');
  });
  test('never lets more through within any window than twice the limit, nor says wait when there is room (any times)', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.array(fc.integer({ min: 0, max: 900 }), { maxLength: 200 }), (requests, gaps) => {
        const { rates, clock } = made({ requests, seconds: 1 });
        const through: number[] = [];
        for (const gap of gaps) {
          clock.ms += gap;
          const wait = rates.take('a');
          if (wait === undefined) through.push(clock.ms);
          else {
            assert.ok(
              through.some((at) => at > clock.ms - 2_000),
              'refused with nothing behind it',
            );
            // What it says is true: not a moment before, and then.
            clock.ms += wait - 1;
            if (wait > 1) assert.notEqual(rates.look('a'), undefined);
            clock.ms += 1;
            assert.equal(rates.look('a'), undefined);
          }
        }
        for (const at of through) assert.ok(through.filter((other) => other > at - 1_000 && other <= at).length <= 2 * requests);
      }),
      { numRuns: 300 },
    );
  });
});

/** Counts that several brokers keep, as Redis keeps them. */
function shared(): Tally & { down: boolean } {
  const counts = new Map<string, number>();
  return {
    down: false,
    async add({ index }, more) {
      if (this.down) throw new Error('away');
      return new Map(
        [...more].map(([name, count]) => {
          const total = (counts.get(`${index}/${name}`) ?? 0) + count;
          counts.set(`${index}/${name}`, total);
          return [name, total];
        }),
      );
    },
  };
}

describe('a rate of several brokers', () => {
  test('holds for all of them together, once they have told each other', async () => {
    const tally = shared();
    const [one, two] = [made({ tally }), made({ tally })];
    assert.deepEqual([times(one.rates, 6), times(two.rates, 2)], [6, 2]);
    await one.rates.exchange();
    await two.rates.exchange();
    assert.equal(times(two.rates, 10), 2, 'two of ten are left');
    await two.rates.exchange();
    await one.rates.exchange();
    // This one has nothing of its own to tell, and so has not heard; it tells with its next, and then it knows.
    assert.equal(times(one.rates, 1), 1);
    await one.rates.exchange();
    assert.equal(times(one.rates, 10), 0);
    one.clock.ms = two.clock.ms = 15_000;
    assert.ok(times(one.rates, 10) <= 5, 'and for the window after');
    one.rates.close();
    two.rates.close();
  });
  test('holds for each while nobody keeps the counts, and what was let through is told later', async () => {
    const tally = shared();
    const [one, two] = [made({ tally }), made({ tally })];
    tally.down = true;
    assert.equal(times(one.rates, 20), 10);
    await one.rates.exchange();
    assert.equal(times(one.rates, 5), 0);
    tally.down = false;
    await one.rates.exchange();
    times(two.rates, 1);
    await two.rates.exchange();
    assert.equal(times(two.rates, 5), 0, 'it has heard');
    one.rates.close();
    two.rates.close();
  });
  test('what is let through while it is being told is told the next time', async () => {
    const tally = shared();
    const { rates } = made({ tally });
    times(rates, 3);
    const telling = rates.exchange();
    times(rates, 2);
    await telling;
    await rates.exchange();
    const other = made({ tally });
    times(other.rates, 1);
    await other.rates.exchange();
    assert.equal(times(other.rates, 10), 4, 'five and one of ten are gone');
    rates.close();
    other.rates.close();
  });
});
