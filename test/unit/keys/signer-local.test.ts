import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { ConfigError, Unavailable } from '../../../src/errors.ts';
import { begin, NO_KEYS, type Ring, type Step, step } from '../../../src/keys/rotation.ts';
import { openSecret } from '../../../src/keys/secret-file.ts';
import { type LocalSigner, localSigner } from '../../../src/keys/signer-local.ts';
import { StoreFault } from '../../../src/store/store.ts';
import type { Json } from '../../../src/wire/json.ts';
import { readJwks } from '../../../src/wire/jwks.ts';
import { type Alg, checkToken, readJws } from '../../../src/wire/jws.ts';
import { type MemoryStore, memoryStore } from '../../support/memory-store.ts';
import { type TestWorld, testWorld } from '../../support/test-world.ts';

const timing = { maxAgeSeconds: 300, maxTokenSeconds: 600, skewSeconds: 10 };
const secret = openSecret({ value: Buffer.alloc(32, 7).toString('base64url') });
const open: LocalSigner[] = [];
after(() => {
  for (const signer of open) signer.close();
});
interface Bench {
  readonly world: TestWorld;
  readonly store: MemoryStore;
  readonly signer: () => Promise<LocalSigner>;
}
function bench(algs: readonly [Alg, ...Alg[]] = ['ES256']): Bench {
  const world = testWorld();
  const store = memoryStore({ now: world.now });
  return {
    world,
    store,
    signer: async () => {
      const signer = await localSigner({ ring: 'tokens', store, secret, algs, timing, world });
      open.push(signer);
      return signer;
    },
  };
}
async function write({ store, world }: Bench, signer: LocalSigner, make: (ring: Ring) => Ring | Promise<Ring>): Promise<void> {
  const { ring, version } = await signer.read();
  const claims = [signer.keep(await make(ring), version)];
  assert.equal(await store.commit({ at: world.now(), notAfter: world.now(), claims, entries: [] }), undefined);
}
async function started(algs: readonly [Alg, ...Alg[]] = ['ES256']): Promise<Bench & { readonly one: LocalSigner }> {
  const room = bench(algs);
  const one = await room.signer();
  await write(room, one, async () => begin(NO_KEYS, room.world.now(), await Promise.all(algs.map((alg) => one.make(alg)))));
  await one.refresh();
  return { ...room, one };
}
async function move(room: Bench & { readonly one: LocalSigner }, what: Step): Promise<void> {
  await write(room, room.one, async (ring) => {
    const done = step(ring, what, room.world.now(), await Promise.all(room.one.algs.map((alg) => room.one.make(alg))), timing);
    assert.ok(done.ok);
    return done.value;
  });
}
const settled = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await turn();
};
const key = (fault: unknown): boolean => fault instanceof Unavailable && fault.what === 'key';
const claims = (world: TestWorld): Record<string, Json> => ({
  iss: 'https://broker.example',
  sub: 'people:u1',
  aud: 'https://mcp.example/mcp',
  iat: world.now(),
  exp: world.now() + 60,
});
const kidOf = (token: string): unknown => {
  const read = readJws(token, { typ: ['at+jwt'] });
  return read.ok ? read.value.header['kid'] : read.error;
};

test('signs with the current key of each algorithm, and its own keys verify it', async () => {
  const { world, one } = await started(['ES256', 'RS256']);
  for (const alg of [undefined, 'ES256', 'RS256'] as const) {
    const token = await one.sign({ typ: 'at+jwt', ...(alg && { alg }) }, claims(world));
    const read = readJws(token, { typ: ['at+jwt'] });
    assert.ok(read.ok);
    assert.deepEqual(Object.keys(read.value.header).sort(), ['alg', 'kid', 'typ']);
    assert.equal(read.value.header.alg, alg ?? 'ES256');
    assert.match(String(read.value.header['kid']), /^2026-11-20-[A-Za-z0-9_-]{16}$/);
    const expected = {
      typ: ['at+jwt'],
      algs: ['ES256', 'RS256'] as const,
      issuer: 'https://broker.example',
      audience: 'https://mcp.example/mcp',
      maxLifetimeSeconds: 60,
      now: world.now(),
    };
    assert.ok((await checkToken(token, one.keys, expected)).ok);
  }
});

test('the published set is strict, public, and named by its bytes', async () => {
  const room = await started(['ES256', 'RS256']);
  const { body, etag, maxAgeSeconds } = room.one.published();
  const read = readJwks(body);
  assert.ok(read.ok);
  assert.deepEqual(
    read.value.map((one) => one.alg),
    ['ES256', 'RS256'],
  );
  for (const jwk of body['keys'] as readonly Record<string, Json>[]) {
    assert.equal(jwk['use'], 'sig');
    for (const member of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k']) assert.ok(!(member in jwk));
  }
  assert.equal(maxAgeSeconds, 300);
  assert.match(etag, /^"[A-Za-z0-9_-]{43}"$/);
  assert.equal(room.one.published().etag, etag);
  await move(room, 'publish');
  await room.one.refresh();
  assert.notEqual(room.one.published().etag, etag);
  assert.equal((room.one.published().body['keys'] as readonly unknown[]).length, 4);
});

test('a step takes effect while the broker runs, on every broker of the store', async () => {
  const room = await started();
  const other = await room.signer();
  const old = kidOf(await other.sign({ typ: 'at+jwt' }, claims(room.world)));
  await move(room, 'publish');
  await settled();
  assert.equal((other.published().body['keys'] as readonly unknown[]).length, 2);
  assert.equal(kidOf(await other.sign({ typ: 'at+jwt' }, claims(room.world))), old);
  room.world.pass(310);
  await move(room, 'activate');
  await settled();
  for (const signer of [room.one, other]) {
    assert.notEqual(kidOf(await signer.sign({ typ: 'at+jwt' }, claims(room.world))), old);
    assert.ok(await signer.keys.find(String(old), 'ES256'));
    assert.equal(await signer.keys.find(String(old), 'RS256'), undefined);
    assert.equal(await signer.keys.find(undefined, 'ES256'), undefined);
  }
  await move(room, 'emergency');
  await settled();
  assert.equal(await other.keys.find(String(old), 'ES256'), undefined);
});

test('a broker that is not told asks before it signs with what may be old', async () => {
  const room = await started();
  const deaf = { ...room.store, follow: async function* () {} };
  const other = await localSigner({
    ring: 'tokens',
    store: deaf,
    secret,
    algs: ['ES256'],
    timing,
    world: { ...room.world, after: () => new AbortController().signal },
  });
  open.push(other);
  const old = kidOf(await other.sign({ typ: 'at+jwt' }, claims(room.world)));
  await move(room, 'emergency');
  room.world.pass(5);
  assert.equal(kidOf(await other.sign({ typ: 'at+jwt' }, claims(room.world))), old);
  room.world.pass(1);
  const tokens = await Promise.all([1, 2, 3].map(() => other.sign({ typ: 'at+jwt' }, claims(room.world))));
  for (const token of tokens) assert.notEqual(kidOf(token), old);
});

test('a broker whose store is away signs no longer than it may, and shows no set older than max-age', async () => {
  const room = await started();
  room.store.break('unreachable');
  await room.one.sign({ typ: 'at+jwt' }, claims(room.world));
  room.world.pass(6);
  await settled();
  await assert.rejects(room.one.sign({ typ: 'at+jwt' }, claims(room.world)), StoreFault);
  await assert.rejects(room.one.keys.find('x', 'ES256'), StoreFault);
  assert.equal((room.one.published().body['keys'] as readonly unknown[]).length, 1);
  room.world.pass(300);
  await settled();
  assert.throws(() => room.one.published(), key);
  room.store.break(undefined);
  await room.one.sign({ typ: 'at+jwt' }, claims(room.world));
  assert.ok(room.one.published());
});

test('an idle broker keeps its set fresh', async () => {
  const room = await started();
  for (let i = 0; i < 100; i++) {
    room.world.pass(10);
    await settled();
  }
  assert.ok(room.one.published());
});

test('without a ring, or with one that does not open, nothing is signed', async () => {
  const room = bench();
  const empty = await room.signer();
  await assert.rejects(empty.sign({ typ: 'at+jwt' }, {}), key);
  assert.deepEqual(await empty.read(), { ring: NO_KEYS, version: 0 });
  assert.deepEqual(empty.published().body, { keys: [] });
  await assert.rejects((await started()).one.sign({ typ: 'at+jwt', alg: 'RS256' }, {}), key);

  const spoil: readonly (readonly [string, (store: MemoryStore) => void])[] = [
    ['removed', (store) => store.keys.delete('keys/tokens')],
    ['older than it was', (store) => edit(store, (kept) => ({ ...kept, version: 0 }))],
    ['edited', (store) => edit(store, (kept) => ({ ...kept, version: 9, value: `${String(kept.value).slice(0, -4)}AAAA` }))],
    ['replaced by text', (store) => edit(store, (kept) => ({ ...kept, version: 9, value: { keys: [] } }))],
    [
      'sealed under another name',
      (store) => edit(store, (kept) => ({ ...kept, version: 9, value: secret.seal('keys/other', { keys: [] }) })),
    ],
  ];
  for (const [what, harm] of spoil) {
    const { one, store, world } = await started();
    harm(store);
    await one.refresh();
    await assert.rejects(one.sign({ typ: 'at+jwt' }, claims(world)), key, what);
    await assert.rejects(one.keys.find('x', 'ES256'), key, what);
    assert.throws(() => one.published(), key, what);
  }
});

test('a private key under another key’s name does not sign', async () => {
  const room = await started();
  await move(room, 'publish');
  await write(room, room.one, (ring) => {
    const [current, next] = ring.keys;
    assert.ok(current?.sealed && next?.sealed);
    return { keys: [{ ...current, sealed: next.sealed }, next] };
  });
  await assert.rejects(room.signer(), ConfigError);
});

test('another key file than the ring was sealed with is told at start', async () => {
  const { store, world } = await started();
  const other = openSecret({ value: Buffer.alloc(32, 8).toString('base64url') });
  await assert.rejects(
    localSigner({ ring: 'tokens', store, secret: other, algs: ['ES256'], timing, world }),
    (fault) => fault instanceof ConfigError && /put back the secret/.test(fault.message),
  );
  store.break('unreachable');
  await assert.rejects(localSigner({ ring: 'tokens', store, secret, algs: ['ES256'], timing, world }), StoreFault);
});

const edit = (store: MemoryStore, change: (kept: { version: number; value: Json }) => { version: number; value: Json }): void => {
  const kept = store.keys.get('keys/tokens');
  assert.ok(kept);
  store.keys.set('keys/tokens', { ...kept, ...change(kept) });
};
