import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Unavailable } from '../../../src/errors.ts';
import { createWorld } from '../../../src/world.ts';

const START = 1_795_176_000_000;
function clocks() {
  const at = { wall: START, monotonic: 0 };
  const world = createWorld({ wall: () => at.wall, monotonic: () => at.monotonic });
  const pass = (ms: number, skew = 0): void => {
    at.wall += ms + skew;
    at.monotonic += ms;
  };
  return { world, pass };
}
const clockFault = (fault: unknown): boolean => fault instanceof Unavailable && fault.what === 'clock';

test('a steady clock tells the time', () => {
  const { world, pass } = clocks();
  pass(90_500);
  assert.equal(world.now(), START / 1000 + 90);
});
for (const [name, skew] of [
  ['an hour forward', 3_600_000],
  ['an hour back', -3_600_000],
  ['six seconds forward', 6_000],
  ['six seconds back', -6_000],
] as const) {
  test(`a jump of ${name} stops the clock until it is undone`, () => {
    const { world, pass } = clocks();
    pass(1_000);
    pass(1_000, skew);
    assert.throws(() => world.now(), clockFault);
    pass(600_000);
    assert.throws(() => world.now(), clockFault, 'waiting does not make it right');
    pass(1_000, -skew);
    assert.equal(world.now(), START / 1000 + 603);
  });
}
test('a clock slewed by NTP is followed, hour after hour', () => {
  const { world, pass } = clocks();
  for (let i = 0; i < 24 * 60; i++) {
    pass(60_001, 29); // 480 ppm fast
    world.now();
  }
  assert.equal(world.now() > START / 1000 + 24 * 3600 + 30, true);
});
test('steps too small to see do not add up unseen', () => {
  const { world, pass } = clocks();
  assert.throws(() => {
    for (let i = 0; i < 100; i++) {
      pass(1_000, 1_000);
      world.now();
    }
  }, clockFault);
});
