import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { asItself, claimsOf, tokenOf } from '../flow/front-door.ts';
import type { Asking } from '../support/rig.ts';
import { retryCases } from './cases-retry.ts';
import { type Ground, openGround, runTables, settled } from './oracle.ts';

runTables([['an Idempotency-Key for something else', retryCases]]);

describe('an Idempotency-Key of somebody else', () => {
  let ground: Ground;
  before(async () => {
    ground = await openGround();
  });
  after(() => ground.stop());
  const txn = async (asking: Asking): Promise<unknown> => claimsOf(tokenOf(await ground.rig.ask(asking)))['txn'];

  test('1 stolen by another client it opens nothing: each client has keys of its own', async () => {
    const headers = { 'idempotency-key': randomUUID() };
    const [mine, theirs] = [await txn({ headers }), await txn(asItself(ground.rig, 'nightly-report', { headers }))];
    assert.notEqual(mine, theirs);
    assert.deepEqual([await txn({ headers }), await txn(asItself(ground.rig, 'nightly-report', { headers }))], [mine, theirs]);
  });
  test('2 a client whose name runs into the key is another client', async () => {
    const [one, two] = [await txn({ headers: { 'idempotency-key': 'a/b' } }), await txn({ headers: { 'idempotency-key': 'b' } })];
    assert.notEqual(one, two);
  });
  test('then: the chain verifies, metrics name nobody, nobody else was asked', () => settled(ground));
});
