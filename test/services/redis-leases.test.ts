/** Two whole brokers on one Redis and one back end: one of them dies while it mints, and the other ends what nobody has. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConfigInput } from '../../src/config.ts';
import type { LeasesStatus } from '../../src/mint/lease-status.ts';
import { eventually, type House, look, openHouse, operate } from '../faults/harness.ts';
import { type Clients, createClients, launchOf } from '../faults/leasing.ts';
import { type FakeBackend, fakeArm, fakeBackend, fakeProgram, registerFake } from '../support/fake-backend.ts';
import { freePort } from '../support/rig.ts';
import type { Program } from '../support/toy.ts';
import { UNLIMITED } from '../support/unlimited.ts';
import { skipUnless } from './provision.ts';
import { type Redis, startRedis } from './redis.ts';

const TTL = 20;
const CAP = 12;

suite('leases of two brokers on one Redis', { skip: await skipUnless('redis') }, () => {
  const held = new AsyncDisposableStack();
  let house: House;
  let back: FakeBackend;
  let program: Program;
  let redis: Redis;
  let socket = '';
  let clients: readonly [Clients, Clients];
  let first: Awaited<ReturnType<House['start']>>;
  before(async () => {
    redis = await startRedis({ appendfsync: 'always' });
    held.defer(() => redis.stop());
    program = await fakeProgram();
    held.defer(() => program.remove());
    back = held.use(await fakeBackend());
    const port = await freePort();
    const shared: Partial<ConfigInput> = {
      store: { use: 'redis', url: `redis://${redis.host}:${redis.port}`, password: { env: 'REDIS' } },
      keys: { use: 'local', secret: { env: 'KEY' } },
      backends: [fakeArm(back, { listing: true })],
      deadlineMs: 1_000,
      limits: UNLIMITED,
    };
    house = held.use(await openHouse({ config: shared }));
    await registerFake(house.policies, CAP, TTL);
    socket = join(house.folder, 'other.sock');
    const other = join(house.folder, 'other.json');
    const env = { KEY: randomBytes(32).toString('base64url'), REDIS: redis.password };
    const { issuer, policies } = house;
    const people = {
      use: 'oidc',
      id: 'people',
      issuer: house.people.issuer,
      vouches: ['person'],
      attributes: { groups: 'groups' },
    } as const;
    const issuers = [{ ...people, clients: { 'refund-bot': 'refund-bot-app' } }];
    writeFileSync(other, JSON.stringify({ ...shared, issuer, policies, issuers, listen: { port }, operator: { socket } }));
    first = await house.start({ ...launchOf(house, program), env });
    house.spawn({ program: [join(program.folder, 'src/main.ts'), '-c', other], env });
    const door = `http://127.0.0.1:${port}`;
    assert.ok(await eventually(async () => (await look(`${door}/readyz`)).status === 200));
    // As if this store had been there for long: what is shown was issued before it was made.
    await redis.cli('HSET', '{countersign}:meta', 'since', '0');
    clients = [createClients(house), createClients(house, door)];
  });
  after(() => held.disposeAsync());

  const leases = async (): Promise<LeasesStatus> => (await operate(socket, 'GET', '/operator/leases')).body as unknown as LeasesStatus;
  const isGiven = (user: string): boolean => clients.some(({ given }) => given.has(user));

  test('one cap for both; one dies while it mints; the other, which has not stopped, ends what no record names', async () => {
    back.slowMs = 30;
    const going = new Set(clients);
    const run = async (who: Clients): Promise<void> => {
      while (going.has(who)) {
        const action = await who.action();
        const reply = action && (await who.redeem(action));
        if (action && reply?.status === 200) await who.receipt(action.txn);
        else await sleep(20);
      }
    };
    const load = Promise.all(clients.flatMap((who) => Array.from({ length: 16 }, () => run(who))));
    assert.ok(await eventually(() => back.made.length > 100, 30_000));
    // The cap is the first one's alone by then, and its calls last so long that some are under way when it dies.
    going.delete(clients[1]);
    back.slowMs = 150;
    await sleep(1_000);
    await first.kill();
    going.clear();
    await load;
    const strays = async () => {
      const named = new Set((await leases()).leases.filter(({ state }) => state === 'outstanding').map(({ txn }) => txn));
      return back.outstanding().filter(({ user, txn }) => !isGiven(user) && !named.has(txn));
    };
    // Its last calls are answered after its end; and on a busy machine the other has found them while the load ended.
    const found = (): number => back.made.filter(({ endedBy }) => endedBy === 'name').length;
    assert.ok(await eventually(async () => (await strays()).length + found() > 0, 3_000), 'orphans');
    assert.ok(back.most('refunds') <= CAP, `${back.most('refunds')} at once`);
    assert.ok(await eventually(async () => (await strays()).length === 0, 15_000), JSON.stringify(await strays()));
    assert.ok(await eventually(async () => (await leases()).open === 0, (TTL + 15) * 1_000), JSON.stringify(await leases()));
    assert.deepEqual(back.outstanding(), []);
  });
});
