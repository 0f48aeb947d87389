import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  begin,
  changes,
  type NewKey,
  NO_KEYS,
  plan,
  publishedKeys,
  type Ring,
  STEPS,
  type Step,
  step,
} from '../../../src/keys/rotation.ts';
import type { Alg } from '../../../src/wire/jws.ts';

const T0 = 1_795_176_000;
const timing = { maxAgeSeconds: 300, maxTokenSeconds: 600, skewSeconds: 10 };
const ALGS: readonly Alg[] = ['ES256', 'RS256'];
let made = 0;
const newKeys = (algs: readonly Alg[] = ALGS): NewKey[] =>
  algs.map((alg) => {
    const kid = `k${++made}`;
    return { id: `key_${kid}`, kid, alg, publicJwk: { kty: alg === 'ES256' ? 'EC' : 'RSA', x: kid }, sealed: `sealed ${kid}` };
  });
const first = (): Ring => begin(NO_KEYS, T0, newKeys());
const must = (ring: Ring, what: Step, now: number): Ring => {
  const done = step(ring, what, now, newKeys(), timing);
  assert.ok(done.ok, `${what} at ${now - T0}`);
  return done.value;
};
const detail = (ring: Ring, what: Step, now: number): unknown => {
  const done = step(ring, what, now, newKeys(), timing);
  return done.ok ? 'done' : [done.error.reason, done.error.detail];
};
const states = (ring: Ring): string => ring.keys.map((key) => `${key.alg.slice(0, 2)} ${key.state}`).join(', ');
const kids = (ring: Ring): readonly string[] => (publishedKeys(ring)['keys'] as readonly { kid: string }[]).map((key) => key.kid);

test('a whole rotation, second by second', () => {
  let ring = first();
  assert.equal(states(ring), 'ES current, RS current');
  assert.deepEqual(detail(ring, 'activate', T0), ['state_conflict', 'nothing_to_do']);
  assert.deepEqual(detail(ring, 'retire', T0 + 1e6), ['state_conflict', 'nothing_to_do']);

  ring = must(ring, 'publish', T0 + 1000);
  assert.equal(states(ring), 'ES current, RS current, ES next, RS next');
  assert.deepEqual(detail(ring, 'publish', T0 + 1000), ['state_conflict', 'already_published']);
  assert.deepEqual(detail(ring, 'activate', T0 + 1000 + 309), ['state_conflict', 'too_early']);
  assert.deepEqual(detail(ring, 'activate', T0 + 900), ['state_conflict', 'too_early']);

  ring = must(ring, 'activate', T0 + 1310);
  assert.equal(states(ring), 'ES retiring, RS retiring, ES current, RS current');
  assert.equal(kids(ring).length, 4);
  assert.deepEqual(
    ring.keys.map((key) => [key.sealed !== undefined, key.publicJwk !== undefined]),
    [
      [false, true],
      [false, true],
      [true, true],
      [true, true],
    ],
  );
  assert.deepEqual(detail(ring, 'retire', T0 + 1310 + 609), ['state_conflict', 'too_early']);

  ring = must(ring, 'retire', T0 + 1310 + 610);
  assert.equal(states(ring), 'ES gone, RS gone, ES current, RS current');
  assert.equal(kids(ring).length, 2);
  assert.deepEqual(Object.keys(ring.keys[0] ?? {}), ['id', 'kid', 'alg', 'state', 'since']);
});

test('the plan says what is possible, what is due, and from when', () => {
  const brief = (ring: Ring, now: number): readonly unknown[] =>
    plan(ring, now, timing, ALGS).map((one) => [
      one.step,
      one.due ? 'due' : one.possible ? 'possible' : one.detail,
      one.at === undefined ? undefined : one.at - T0,
    ]);
  assert.deepEqual(brief(first(), T0), [
    ['publish', 'possible', undefined],
    ['activate', 'nothing_to_do', undefined],
    ['retire', 'nothing_to_do', undefined],
    ['emergency', 'possible', undefined],
  ]);
  const published = must(first(), 'publish', T0);
  assert.deepEqual(brief(published, T0 + 309).at(1), ['activate', 'too_early', 310]);
  assert.deepEqual(brief(published, T0 + 310), [
    ['publish', 'already_published', undefined],
    ['activate', 'due', 310],
    ['retire', 'nothing_to_do', undefined],
    ['emergency', 'possible', undefined],
  ]);
  assert.deepEqual(
    plan(NO_KEYS, T0, timing, ALGS).map((one) => one.possible),
    [true, false, false, false],
  );
});

test('an emergency distrusts all that signs or is believed, and signs on at once', () => {
  const before = must(must(must(first(), 'publish', T0), 'activate', T0 + 310), 'publish', T0 + 400);
  const after = must(before, 'emergency', T0 + 401);
  assert.equal(
    states(after),
    'ES distrusted, RS distrusted, ES distrusted, RS distrusted, ES distrusted, RS distrusted, ES current, RS current',
  );
  assert.deepEqual(
    kids(after),
    after.keys.slice(6).map((key) => key.kid),
  );
  assert.ok(after.keys.slice(0, 6).every((key) => key.sealed === undefined && key.publicJwk === undefined));
  assert.equal(changes(before, after).length, 8);
  assert.throws(() => step(before, 'emergency', T0, newKeys(['ES256']), timing), /has no new key/);
  assert.deepEqual(detail(NO_KEYS, 'emergency', T0), ['state_conflict', 'nothing_to_do']);
});

test('an algorithm that joins later moves by its own clock', () => {
  let ring = begin(NO_KEYS, T0, newKeys(['ES256']));
  const one = step(ring, 'publish', T0, newKeys(['ES256']), timing);
  assert.ok(one.ok);
  ring = begin(one.value, T0 + 100, newKeys());
  assert.equal(states(ring), 'ES current, ES next, RS current');
  ring = must(ring, 'publish', T0 + 200);
  assert.equal(states(ring), 'ES current, ES next, RS current, RS next');
  ring = must(ring, 'activate', T0 + 310);
  assert.equal(states(ring), 'ES retiring, ES current, RS current, RS next');
  assert.deepEqual(detail(ring, 'activate', T0 + 509), ['state_conflict', 'too_early']);
  assert.equal(states(must(ring, 'activate', T0 + 510)), 'ES retiring, ES current, RS retiring, RS current');
  assert.equal(begin(ring, T0 + 600, newKeys()).keys.length, ring.keys.length);
});

test('a key is never named as another was', () => {
  const keys = newKeys();
  const ring = begin(NO_KEYS, T0, keys);
  assert.throws(() => step(ring, 'publish', T0, keys, timing), /named as another/);
  const gone = must(must(must(ring, 'publish', T0), 'activate', T0 + 310), 'retire', T0 + 920);
  assert.throws(() => step(gone, 'publish', T0 + 921, keys, timing), /named as another/);
  assert.throws(() => step(ring, 'publish', T0, newKeys(['ES256', 'ES256']), timing), /two new keys/);
});

interface Token {
  readonly kid: string;
  readonly iat: number;
  readonly exp: number;
}
const moves = fc.array(
  fc.record({
    what: fc.constantFrom<Step | 'sign'>(...STEPS, 'sign', 'sign'),
    wait: fc.oneof(fc.nat(5), fc.nat(400), fc.constantFrom(0, 1, 309, 310, 609, 610)),
    life: fc.integer({ min: 1, max: timing.maxTokenSeconds }),
    /** How old the set is that the verifier holds. */
    stale: fc.nat(timing.maxAgeSeconds),
  }),
  { minLength: 5, maxLength: 60, size: 'max' },
);

function walk(steps: readonly { what: Step | 'sign'; wait: number; life: number; stale: number }[], emergencies: boolean): void {
  let now = T0;
  let ring = first();
  const sets: { readonly at: number; readonly kids: readonly string[] }[] = [{ at: 0, kids: kids(ring) }];
  const tokens: Token[] = [];
  const everKids = new Set(ring.keys.map((key) => key.kid));
  const ended = new Set<string>();
  for (const move of steps) {
    now += move.wait;
    if (move.what === 'sign')
      for (const { kid } of ring.keys.filter((key) => key.state === 'current')) tokens.push({ kid, iat: now, exp: now + move.life });
    else if (emergencies || move.what !== 'emergency') {
      const before = ring;
      const fresh = newKeys();
      const done = step(ring, move.what, now, fresh, timing);
      const planned = plan(before, now, timing, ALGS).find((one) => one.step === move.what);
      assert.equal(planned?.possible, done.ok);
      assert.deepEqual(step(ring, move.what, now, fresh, timing), done);
      if (done.ok) {
        ring = done.value;
        assert.ok(changes(before, ring).length > 0);
        for (const { kid } of ring.keys.slice(before.keys.length)) {
          assert.ok(!everKids.has(kid));
          everKids.add(kid);
        }
        sets.push({ at: now, kids: kids(ring) });
      }
    }
    for (const alg of ALGS) {
      const count = (state: string): number => ring.keys.filter((key) => key.alg === alg && key.state === state).length;
      assert.equal(count('current'), 1);
      assert.ok(count('next') <= 1);
    }
    assert.deepEqual(new Set(ring.keys.map((key) => key.kid)), everKids);
    assert.equal(ring.keys.length, everKids.size);
    for (const key of ring.keys) {
      const over = key.state === 'gone' || key.state === 'distrusted';
      assert.equal(kids(ring).includes(key.kid), !over);
      assert.equal(key.sealed !== undefined, key.state === 'next' || key.state === 'current');
      assert.ok(!ended.has(key.kid) || over);
      if (over) ended.add(key.kid);
    }
    if (emergencies) continue;
    // Whatever set a verifier holds — this one, or one up to max-age old — an honest token verifies.
    const held = sets.findLast((set) => set.at <= now - move.stale)?.kids ?? [];
    for (const token of tokens) if (now < token.exp) assert.ok(held.includes(token.kid));
  }
}
test('in any order of steps: one current each, at most one next, no name twice, published from publish until gone', () => {
  fc.assert(
    fc.property(moves, (steps) => walk(steps, true)),
    { numRuns: 300 },
  );
});
test('in any order of planned steps a token verifies until it ends, also against a set as old as max-age', () => {
  fc.assert(
    fc.property(moves, (steps) => walk(steps, false)),
    { numRuns: 500 },
  );
});
