/** Refusals before anybody has proved who they are: each has its entry up to a rate, and beyond it one entry tells of many. None is lost. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, test } from 'node:test';
import { pino } from 'pino';
import { createApp } from '../../src/app.ts';
import { parseConfig } from '../../src/config.ts';
import type { Entry } from '../../src/model.ts';
import { jwt, newKey } from '../support/keys.ts';
import { type Answer, type Asking, type Rig, startRig } from '../support/rig.ts';
import { type TestWorld, testWorld } from '../support/test-world.ts';

let rig: Rig;
let world: TestWorld;
const LIMITS = { perAddress: 'none', perAgent: 'none', refusals: { requests: 5, seconds: 60 } } as const;
async function start(): Promise<void> {
  // The store has a clock of its own.
  world = testWorld(Math.floor(Date.now() / 1000));
  rig = await startRig({ world, config: { limits: LIMITS } });
  // The rig's own question for a nonce was one of them.
  world.pass(120);
}
afterEach(() => rig.stop());

const STRANGER: Asking = { assertion: { key: newKey() } };
const UNREAD: Asking = { form: { grant_type: null } };
async function times(count: number, asking: Asking): Promise<readonly Answer[]> {
  const answers: Answer[] = [];
  for (let i = 0; i < count; i++) answers.push(await rig.ask(asking));
  return answers;
}
interface Story {
  readonly alone: number;
  readonly together: readonly { readonly reason: string | undefined; readonly count: number; readonly address: unknown }[];
}
function storyOf(entries: readonly Entry[]): Story {
  const refused = entries.filter(({ kind }) => kind === 'refused');
  const many = refused.filter(({ request }) => request === 'refusals');
  return {
    alone: refused.length - many.length,
    together: many.map(({ reason, context }) => ({ reason, count: Number(context?.['count']), address: context?.['address'] })),
  };
}
/** What stands in the ledger once all has been told. */
async function story(from: number): Promise<Story> {
  world.pass(3);
  let before = -1;
  for (let count = 0; count !== before; await new Promise((resolve) => setTimeout(resolve, 60)))
    [before, count] = [count, await rig.count()];
  return storyOf(await rig.entries(from));
}
const sum = ({ alone, together }: Story): number => together.reduce((all, { count }) => all + count, alone);

describe('refusals of nobody in particular', () => {
  test('have an entry each up to the rate, and beyond it one for each reason with a count', async () => {
    await start();
    const from = await rig.count();
    const answers = [...(await times(20, STRANGER)), ...(await times(10, UNREAD))];
    assert.deepEqual(
      answers.map(({ status }) => status),
      [...Array(20).fill(401), ...Array(10).fill(400)],
    );
    assert.deepEqual(
      answers.map(({ body }) => typeof body['decision_id']),
      [...Array(5).fill('string'), ...Array(25).fill('undefined')],
      'what has an entry has its name',
    );
    assert.equal((await rig.count()) - from, 5, 'the rest is counted');
    assert.deepEqual(await story(from), {
      alone: 5,
      together: [
        { reason: 'client_unauthenticated', count: 15, address: '127.0.0.1' },
        { reason: 'request_malformed', count: 10, address: '127.0.0.1' },
      ],
    });
  });
  test('are never lost: what the ledger counts is what was answered, over many intervals and at the end', async () => {
    await start();
    const from = await rig.count();
    let answered = 0;
    for (let i = 0; i < 12; i++) {
      answered += (await Promise.all(Array.from({ length: 7 + i }, () => rig.ask(i % 2 ? STRANGER : UNREAD)))).length;
      world.pass(i % 3);
    }
    // Stopped at once: what came together in the last moment is written first.
    await rig.app.close();
    const again = await createApp(parseConfig({ ...configOf(), limits: LIMITS }), {
      world,
      log: pino({ level: 'silent' }),
      environment: {},
    });
    const rows = await again.store.scan({ term: 'entry', limit: 10_000, after: `entry/${String(from).padStart(16, '0')}` });
    const entries = rows.map(({ value }) => value as unknown as Entry);
    await again.close();
    assert.equal(sum(storyOf(entries)), answered);
    assert.ok(entries.length < answered / 2, `${entries.length} entries for ${answered}`);
  });
  test('leave those alone who have proved who they are: each of their refusals has its entry', async () => {
    await start();
    const from = await rig.count();
    await times(10, STRANGER);
    const denied = await times(10, { args: { payment_id: 'pay_8Qx2', amount_minor: 999_999, currency: 'EUR' } });
    assert.deepEqual(
      denied.map(({ status, body }) => [status, typeof body['decision_id']]),
      Array(10).fill([403, 'string']),
    );
    const bad = await times(10, { subject: { key: newKey() } });
    assert.deepEqual(
      bad.map(({ status, body }) => [status, typeof body['decision_id']]),
      Array(10).fill([400, 'string']),
    );
    const replayed = await rig.form();
    const send = async (): Promise<number> => (await fetch(`${rig.issuer}/token`, { method: 'POST', ...replayed })).status;
    assert.deepEqual([await send(), await send(), await send()], [200, 401, 401]);
    // A tool server that tells of what never was is known all the same.
    for (let i = 0; i < 10; i++) {
      const claims = {
        iss: 'shop',
        sub: 'shop',
        aud: rig.issuer,
        jti: randomUUID(),
        txn: `txn_${'0'.repeat(32)}`,
        iat: rig.now(),
        exp: rig.now() + 60,
      };
      const receipt = await jwt(rig.server, { typ: 'countersign-receipt+jwt', alg: rig.server.alg }, { ...claims, outcome: 'done' });
      const answer = await fetch(`${rig.issuer}/receipts`, {
        method: 'POST',
        headers: { 'content-type': 'application/jwt' },
        body: receipt,
      });
      assert.equal(answer.status, 400);
    }
    const told = await story(from);
    assert.deepEqual([told.alone, told.together.map(({ count }) => count)], [5 + 10 + 10 + 2 + 10, [5]]);
  });
  test('begin to have entries of their own again when the rate allows it', async () => {
    await start();
    const from = await rig.count();
    await times(8, STRANGER);
    world.pass(120);
    await times(3, STRANGER);
    const told = await story(from);
    assert.deepEqual([told.alone, told.together.map(({ count }) => count)], [8, [3]]);
  });
  test('are counted by reason for whoever watches, together or not', async () => {
    await start();
    await times(9, STRANGER);
    await story(0);
    const text = await (await fetch(`${rig.issuer}/metrics`)).text();
    assert.match(text, /^countersign_refusals_together_total\{reason="client_unauthenticated"\} 4$/m);
    assert.match(
      text,
      /^countersign_entries_total\{kind="refused",reason="client_unauthenticated"\} 6$/m,
      'five, and the one that tells of four',
    );
    assert.doesNotMatch(text, /127\.0\.0\.1/);
    assert.equal(
      rig.log.some((line) => line.includes('127.0.0.1') && line.includes('"entry"')),
      false,
    );
  });
});

/** Of the rig's broker, for one that opens its store after it. */
function configOf(): Record<string, unknown> {
  assert.ok(existsSync(join(rig.folder, 'data', 'countersign.db')));
  return {
    issuer: rig.issuer,
    listen: { port: Number(new URL(rig.issuer).port) },
    policies: join(rig.folder, 'policies'),
    store: { use: 'sqlite', path: join(rig.folder, 'data', 'countersign.db') },
    keys: { use: 'local', secret: { file: join(rig.folder, 'key') } },
    operator: { socket: join(rig.folder, 'operator.sock') },
  };
}
