import assert from 'node:assert/strict';
import { createPublicKey, type KeyObject } from 'node:crypto';
import { test } from 'node:test';
import { checkToken, type KeySource } from '../../../src/wire/jws.ts';
import { remembered } from '../../../src/wire/remembered.ts';
import { jwt, newKey } from '../../support/keys.ts';

const NOW = 1_795_176_000;
const a = newKey('a');
const b = newKey('b');
const publicOf = (key: typeof a): KeyObject => createPublicKey(key.private);
const claims = { iss: 'https://id.example', sub: 'u', aud: 'app', iat: NOW, exp: NOW + 600 };

function desk() {
  let at = NOW;
  const memory = remembered({ now: () => at, most: 3 });
  const keys = new Map([['a', publicOf(a)]]);
  const source: KeySource = { find: async (kid) => keys.get(kid ?? '') };
  const check = (token: string) =>
    checkToken(token, source, {
      typ: ['JWT'],
      algs: ['ES256'],
      issuer: claims.iss,
      audience: 'app',
      maxLifetimeSeconds: 3600,
      now: at,
      remembered: memory,
    });
  const pass = (seconds: number): void => {
    at += seconds;
  };
  return { memory, keys, check, pass };
}
const good = await jwt(a, { alg: 'ES256', typ: 'JWT', kid: 'a' }, claims);

test('a signature that held is remembered for this string and this key alone', async () => {
  const { memory, keys, check } = desk();
  assert.equal((await check(good)).ok, true);
  const key = keys.get('a') as KeyObject;
  assert.equal(memory.holds(good, key), true);
  assert.equal(memory.holds(good, publicOf(b)), false);
  const forged = `${good.slice(0, -4)}AAAA`;
  assert.equal(memory.holds(forged, key), false);
  assert.deepEqual(await check(forged), { ok: false, error: 'token_signature' });
});
test('a key withdrawn at its source verifies nothing any more, remembered or not', async () => {
  const { keys, check } = desk();
  await check(good);
  keys.delete('a');
  assert.deepEqual(await check(good), { ok: false, error: 'token_kid' });
  keys.set('a', publicOf(b));
  assert.deepEqual(await check(good), { ok: false, error: 'token_signature' });
});
test('claims are judged each time: what is remembered still expires', async () => {
  const { check, pass } = desk();
  await check(good);
  pass(600);
  assert.deepEqual(await check(good), { ok: false, error: 'token_expired' });
});
test('a signature that did not hold, or whose claims did not, is not remembered; and no more than so many are', async () => {
  const { memory, keys, check } = desk();
  const key = keys.get('a') as KeyObject;
  const other = await jwt(a, { alg: 'ES256', typ: 'JWT', kid: 'a' }, { ...claims, aud: 'other' });
  assert.equal((await check(other)).ok, false);
  assert.equal(memory.holds(other, key), false);
  await check(good);
  for (let i = 0; i < 3; i++) memory.keep(String(i), key, NOW + 60);
  assert.equal(memory.holds(good, key), false);
});
