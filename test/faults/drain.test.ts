import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { digestFile, formatManifest, MANIFEST, parseManifest } from '../../src/bundle/manifest.ts';
import { nothingKept, nothingLost, readLedger } from './checks.ts';
import { eventually, notReady, openHouse, operate } from './harness.ts';
import { createLoad, type Load } from './load.ts';

const DRAINED = { code: 0, signal: null };
const kinds = (load: Load): readonly string[] => [...load.counts.keys()].filter((kind) => kind !== '400 use_dpop_nonce').sort();

it('SIGTERM under load: told to go elsewhere, everybody has had an answer', async () => {
  await using house = await openHouse();
  // Few enough that each has had its answer within the time that a broker gives them, on a busy machine too.
  const load = createLoad(house, { inFlight: 8, heedful: true });
  for (let round = 0; round < 2; round++) {
    const broker = await house.start();
    const before = load.grants.length;
    load.begin();
    assert.ok(await eventually(() => load.grants.length > before));
    await sleep(Math.random() * 100);
    const stopped = broker.stop();
    let told = await notReady(house.issuer);
    await eventually(async () => {
      if (told.status === 200) told = await notReady(house.issuer);
      return told.status !== 200;
    });
    assert.deepEqual(told, { status: 503, failing: ['process down'] });
    assert.deepEqual(await stopped, DRAINED);
    await load.end();
  }
  assert.deepEqual(kinds(load), ['200']);
  await nothingLost(house, load);
  nothingKept(house, load);
});

it('SIGTERM under a load that does not listen: whoever was let in is answered, whatever is granted is given', async (t) => {
  await using house = await openHouse();
  const load = createLoad(house, { inFlight: 32 });
  for (let round = 0; round < 2; round++) {
    const broker = await house.start();
    load.begin();
    await sleep(50 + Math.random() * 100);
    assert.deepEqual(await broker.stop(), DRAINED);
    await load.end();
  }
  // A connection that the system accepted and the broker never saw is reset when it closes: nothing of it was read.
  for (const kind of kinds(load)) assert.match(kind, /^(200|refused|lost|503 temporarily_unavailable)$/);
  await nothingLost(house, load);
  nothingKept(house, load);
  t.diagnostic(JSON.stringify(Object.fromEntries(load.counts)));
});

it('bundles that change under load: each exchange by the old one or the new one, never by parts of both', async (t) => {
  await using house = await openHouse();
  const broker = await house.start();
  // 4,500 is granted under the first limit and refused under the second.
  const load = createLoad(house, {
    inFlight: 16,
    wish: { client: 'refund-bot', tool: 'create_refund', args: { payment_id: 'pay_1', amount_minor: 4_500, currency: 'EUR' } },
  });
  const inForce = async (): Promise<string> => String((await operate(house.socket, 'GET', '/operator/status')).body['bundle']);
  const first = await inForce();
  const ways = {
    // The folder is watched, too: whichever is first.
    SIGHUP: async () => void broker.child.kill('SIGHUP'),
    operator: async () => assert.equal((await operate(house.socket, 'POST', '/operator/bundle/reload', {})).status, 200),
    watch: async () => {},
  };
  const granting = new Set([first]);
  const refusing = new Set<string>();
  load.begin();
  let limit = 5_000;
  for (const reload of [...Object.values(ways), ...Object.values(ways)]) {
    const before = await inForce();
    limit = limit === 5_000 ? 4_000 : 5_000;
    const manifest = setLimit(house.policies, limit);
    await reload();
    // Half of the change is there: the old bundle stays, and says so.
    assert.ok(await eventually(async () => (await notReady(house.issuer)).failing.includes('bundle degraded')));
    assert.equal((await notReady(house.issuer)).status, 200);
    assert.equal(await inForce(), before);
    manifest();
    await reload();
    assert.ok(await eventually(async () => (await inForce()) !== before));
    (limit === 5_000 ? granting : refusing).add(await inForce());
    assert.deepEqual(await notReady(house.issuer), { status: 200, failing: [] });
  }
  await load.end();
  assert.deepEqual(await broker.stop(), DRAINED);

  assert.deepEqual(kinds(load), ['200', '403 access_denied']);
  assert.deepEqual([granting.size, refusing.size], [1, 1], 'a bundle is named by what is in it');
  const judged = readLedger(house.store).filter(({ tool, reason }) => tool !== null && reason !== 'nonce_needed');
  const mixed = judged.filter(({ kind, bundle, code }) =>
    kind === 'minted' ? !granting.has(String(bundle)) : !refusing.has(String(bundle)) || code !== 'refund_too_large',
  );
  assert.deepEqual(mixed, []);
  assert.ok(judged.some(({ kind }) => kind === 'minted') && judged.some(({ kind }) => kind === 'refused'));
  const changes = readLedger(house.store).filter(({ kind }) => kind === 'bundle');
  assert.deepEqual(
    changes.map(({ bundle }) => granting.has(String(bundle))),
    [true, false, true, false, true, false, true],
  );
  await nothingLost(house, load);
  nothingKept(house, load);
  t.diagnostic(JSON.stringify(Object.fromEntries(load.counts)));
});

/** Changes the refund limit of refunds.cedar. Returns what also puts it into the manifest: until then the folder is half changed. */
function setLimit(policies: string, limit: number): () => void {
  const file = join(policies, 'refunds.cedar');
  const text = readFileSync(file, 'utf8').replace(/amount_minor > \d+ \}/, `amount_minor > ${limit} }`);
  writeFileSync(file, text);
  return () => {
    const manifest = join(policies, MANIFEST);
    const digests = parseManifest(readFileSync(manifest, 'utf8'));
    assert.ok(digests.ok);
    writeFileSync(manifest, formatManifest(new Map([...digests.value, ['refunds.cedar', digestFile(text)]])));
  };
}
