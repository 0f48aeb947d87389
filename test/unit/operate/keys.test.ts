import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { openSecret } from '../../../src/keys/secret-file.ts';
import { type LocalSigner, localSigner } from '../../../src/keys/signer-local.ts';
import type { Entry } from '../../../src/model.ts';
import { createKeys, type Keys } from '../../../src/operate/keys.ts';
import { fromBody } from '../../../src/record/entry.ts';
import { createRecord } from '../../../src/record/record.ts';
import type { JsonObject } from '../../../src/wire/json.ts';
import { type MemoryStore, memoryStore } from '../../support/memory-store.ts';
import { type TestWorld, testWorld } from '../../support/test-world.ts';

const timing = { maxAgeSeconds: 300, maxTokenSeconds: 600, skewSeconds: 10 };
const secret = openSecret({ value: Buffer.alloc(32, 7).toString('base64url') });
const open: LocalSigner[] = [];
after(() => {
  for (const signer of open) signer.close();
});
const by = { name: 'maria' };

interface Broker {
  readonly keys: Keys;
  readonly signer: LocalSigner;
  readonly faults: unknown[];
}
async function broker(store: MemoryStore, world: TestWorld): Promise<Broker> {
  const signer = await localSigner({ ring: 'tokens', store, secret, algs: ['ES256', 'RS256'], timing, world });
  open.push(signer);
  const faults: unknown[] = [];
  const record = createRecord({ store, world, deadlineMs: 5000, readers: [], onFault: (fault) => faults.push(fault) });
  return { keys: createKeys({ keeper: signer, record, world }), signer, faults };
}
async function begun(): Promise<Broker & { readonly store: MemoryStore; readonly world: TestWorld }> {
  const world = testWorld();
  const store = memoryStore({ now: world.now });
  const one = await broker(store, world);
  assert.deepEqual(await one.keys.begin(), { ok: true, value: true });
  return { ...one, store, world };
}
const told = (store: MemoryStore): readonly Entry[] => store.entries.map((row) => fromBody(row.value as JsonObject));
const no = async (outcome: ReturnType<Keys['step']>): Promise<unknown> => {
  const done = await outcome;
  return done.ok ? 'done' : [done.error.reason, done.error.detail];
};

test('the first ring comes with its entry, once', async () => {
  const { store, world, keys } = await begun();
  assert.deepEqual(await keys.begin(), { ok: true, value: false });
  const second = await broker(store, world);
  assert.deepEqual(await second.keys.begin(), { ok: true, value: false });
  const entries = told(store);
  assert.equal(entries.length, 1);
  assert.equal(entries[0]?.kind, 'key');
  assert.equal(entries[0]?.request, 'start');
  assert.match(entries[0]?.detail ?? '', /^begin: ES256 \S+ current, RS256 \S+ current$/);
});

test('brokers that begin together make one ring, and all sign with it', async () => {
  const world = testWorld();
  const store = memoryStore({ now: world.now });
  const all = await Promise.all([1, 2, 3].map(() => broker(store, world)));
  const outcomes = await Promise.all(all.map((one) => one.keys.begin()));
  assert.equal(outcomes.filter((one) => one.ok && one.value).length, 1);
  assert.ok(outcomes.every((one) => one.ok));
  assert.equal(store.entries.length, 1);
  assert.equal(new Set(all.map((one) => one.signer.published().etag)).size, 1);
  for (const one of all) assert.ok(await one.signer.sign({ typ: 'at+jwt' }, {}));
});

test('a rotation, step by step, each with an entry that says who, what and which key', async () => {
  const { store, world, keys, signer } = await begun();
  const before = signer.published().etag;
  const published = await keys.step('publish', by);
  assert.ok(published.ok);
  assert.equal(published.value.dry_run, false);
  assert.equal(published.value.status.version, 2);
  assert.notEqual(signer.published().etag, before);
  world.pass(310);
  assert.ok((await keys.step('activate', by)).ok);
  world.pass(610);
  assert.ok((await keys.step('retire', by)).ok);
  const status = await keys.status();
  assert.deepEqual(
    status.keys.map((key) => `${key.alg} ${key.state} ${key.next?.step}`),
    ['ES256 gone undefined', 'RS256 gone undefined', 'ES256 current undefined', 'RS256 current undefined'],
  );
  assert.deepEqual(
    told(store).map(({ kind, by: who, request }) => [kind, request, who]),
    [
      ['key', 'start', undefined],
      ['key', 'operator', 'maria'],
      ['key', 'operator', 'maria'],
      ['key', 'operator', 'maria'],
    ],
  );
  const [es] = published.value.changed;
  assert.deepEqual(told(store)[1]?.context, {
    step: 'publish',
    version: 2,
    keys: published.value.changed.map(({ kid, alg }) => ({ kid, alg, from: null, to: 'next' })),
  });
  assert.equal(es?.to, 'next');
});

test('neither status nor entry holds key material', async () => {
  const { store, keys } = await begun();
  await keys.step('publish', by);
  await keys.step('emergency', by);
  const shown = JSON.stringify([await keys.status(), store.entries]);
  for (const word of ['"d"', '"x"', '"n"', 's1.', 'sealed', 'Jwk']) assert.ok(!shown.includes(word), word);
  assert.ok(!JSON.stringify([...store.keys]).includes('"x"'));
});

test('refusals are values with a stable detail, recorded, and change nothing', async () => {
  const { store, keys, world } = await begun();
  assert.deepEqual(await no(keys.step('activate', by)), ['state_conflict', 'nothing_to_do']);
  assert.deepEqual(await no(keys.step('publish', by, { expectedVersion: 7 })), ['state_conflict', 'version']);
  assert.deepEqual(await no(keys.step('publish', by, { expectedVersion: 1 })), 'done');
  assert.deepEqual(await no(keys.step('publish', by)), ['state_conflict', 'already_published']);
  world.pass(309);
  assert.deepEqual(await no(keys.step('activate', by)), ['state_conflict', 'too_early']);
  assert.equal((await keys.status()).version, 2);
  assert.deepEqual(
    told(store).map(({ kind, by: who, reason, detail, context }) => [kind, who, reason, detail?.split(':')[0], context?.['step']]),
    [
      ['key', undefined, undefined, 'begin', 'begin'],
      ['refused', 'maria', 'state_conflict', 'nothing_to_do', 'activate'],
      ['refused', 'maria', 'state_conflict', 'version', 'publish'],
      ['key', 'maria', undefined, 'publish', 'publish'],
      ['refused', 'maria', 'state_conflict', 'already_published', 'publish'],
      ['refused', 'maria', 'state_conflict', 'too_early', 'activate'],
    ],
  );
});

test('a dry run says what would be, and writes nothing', async () => {
  const { store, keys, world } = await begun();
  const before = JSON.stringify([...store.keys]);
  const dry = await keys.step('publish', by, { dryRun: true });
  assert.ok(dry.ok);
  assert.deepEqual(dry.value.changed, [
    { kid: '(new ES256)', alg: 'ES256', to: 'next' },
    { kid: '(new RS256)', alg: 'RS256', to: 'next' },
  ]);
  assert.equal(dry.value.dry_run, true);
  assert.deepEqual(await no(keys.step('retire', by, { dryRun: true })), ['state_conflict', 'nothing_to_do']);
  assert.ok((await keys.step('emergency', by, { dryRun: true })).ok);
  world.pass(1);
  assert.equal(JSON.stringify([...store.keys]), before);
  assert.equal(store.entries.length, 1);
});

test('of two operators at once one wins and the other is told', async () => {
  const room = await begun();
  const other = await broker(room.store, room.world);
  for (const what of ['publish', 'emergency'] as const) {
    const outcomes = await Promise.all([room.keys.step(what, by), other.keys.step(what, { name: 'ivo' })]);
    assert.equal(outcomes.filter((one) => one.ok).length, 1, what);
    const loser = outcomes.find((one) => !one.ok);
    assert.ok(loser && !loser.ok);
    assert.deepEqual([loser.error.reason, loser.error.detail], ['state_conflict', 'version']);
    assert.equal(room.store.entries.at(-1)?.value instanceof Object && told(room.store).at(-1)?.kind, 'refused');
  }
  assert.equal((await room.keys.status()).keys.filter((key) => key.state === 'current').length, 2);
});

test('a store that is away is a fault: unavailable, and the ring is as it was', async () => {
  const { store, keys, faults } = await begun();
  store.break('disk');
  assert.deepEqual(await no(keys.step('publish', by)), ['unavailable', undefined]);
  assert.equal(faults.length > 0, true);
  await assert.rejects(keys.status());
  store.break(undefined);
  assert.equal((await keys.status()).version, 1);
  assert.ok((await keys.step('publish', by)).ok);
});
