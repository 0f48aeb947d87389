/** When a granted token ends, and which key signs it. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Batch } from '../../src/store/store.ts';
import type { JsonObject } from '../../src/wire/json.ts';
import { newKey } from '../support/keys.ts';
import { type Asking, JWT_TYPE, type Rig, startRig } from '../support/rig.ts';
import { aheadWorld, asItself, get, grantedBy, widenBundle } from './front-door.ts';

let rig: Rig;
before(async () => {
  rig = await startRig({ bundle: widenBundle });
});
after(() => rig.stop());
const ORDERS: Asking = { entry: { identifier: 'list_orders' }, args: {} };

describe('exp is the earliest of', () => {
  const key = newKey();
  const cnf = { jkt: key.jkt };
  const cases: readonly (readonly [string, (at: number) => Asking, (iat: number, at: number) => number])[] = [
    ['the policy of the subject', () => ({}), (iat) => iat + 60],
    ['another policy of the subject', () => ORDERS, (iat) => iat + 120],
    [
      'the policy of an actor, where the subject has none',
      () => ({ entry: { identifier: 'read_note' }, args: { name: 'x' } }),
      (iat) => iat + 300,
    ],
    ['the limit of an agent for itself, where no policy says', () => asItself(rig, 'triage-bot'), (iat) => iat + 30],
    ['the policy of an agent for itself', () => asItself(rig, 'nightly-report'), (iat) => iat + 30],
    ['the subject token', (at) => ({ subject: { claims: { exp: at + 25 } } }), (_, at) => at + 25],
    ['the actor token', (at) => ({ ...ORDERS, actor: { claims: { cnf, exp: at + 20 } } }), (_, at) => at + 20],
    ['the agent’s own limit', () => ({ ...ORDERS, actor: { claims: { cnf } } }), (iat) => iat + 30],
    [
      'the subject token, before the actor token and every limit',
      (at) => ({ ...ORDERS, subject: { claims: { exp: at + 10 } }, actor: { claims: { cnf, exp: at + 20 } } }),
      (_, at) => at + 10,
    ],
  ];
  for (const [name, asking, exp] of cases) {
    it(name, async () => {
      const at = rig.now();
      const { answer, claims } = await grantedBy(rig, asking(at));
      assert.equal(claims.exp, exp(Number(claims.iat), at));
      assert.ok(Number(answer.body['expires_in']) <= Number(claims.exp) - Number(claims.iat));
    });
  }
  it('a minute, where no policy and no agent says', async () => {
    const { claims } = await grantedBy(rig, {
      ...ORDERS,
      form: { subject_token_type: JWT_TYPE },
      subject: { claims: { sub: 'svc-orders', aud: rig.issuer } },
    });
    assert.equal(Number(claims.exp) - Number(claims.iat), 60);
  });
});

describe('RS256', () => {
  it('stands in /jwks beside ES256, one key one algorithm, nothing private', async () => {
    const { body } = await get(rig, '/jwks');
    const keys = body['keys'] as readonly JsonObject[];
    assert.deepEqual(
      keys.map((key) => [key['alg'], key['use'], Object.keys(key).sort().join(' ')]),
      [
        ['ES256', 'sig', 'alg crv kid kty use x y'],
        ['RS256', 'sig', 'alg e kid kty n use'],
      ],
    );
    assert.equal(new Set(keys.map((key) => key['kid'])).size, 2);
  });

  it('signs where the configuration puts it first', async () => {
    const other = await startRig({
      config: {
        keys: { use: 'local', secret: { env: 'COUNTERSIGN_KEY' }, algorithms: ['RS256'] },
      },
      environment: { COUNTERSIGN_KEY: Buffer.alloc(32, 9).toString('base64url') },
    });
    try {
      const { header, claims } = await grantedBy(other);
      assert.deepEqual([header.alg, header.typ, claims['client_id']], ['RS256', 'at+jwt', 'refund-bot']);
    } finally {
      await other.stop();
    }
  });
});

describe('expires_in', () => {
  it('is what is left at the answer, however long the request has waited', async () => {
    const world = aheadWorld();
    const slow = await startRig({ world });
    try {
      // The clock goes on while the request is on its way to its decision.
      const { store } = slow.app;
      const commit = store.commit.bind(store);
      store.commit = async <R extends string>(batch: Batch<R>): Promise<R | undefined> => {
        world.ahead(3);
        return commit(batch);
      };
      const at = slow.now();
      const { answer, claims } = await grantedBy(slow, { subject: { claims: { exp: at + 40 } } });
      assert.ok(slow.now() >= at + 3);
      assert.ok(Number(answer.body['expires_in']) <= Number(claims.exp) - at - 3, `${answer.body['expires_in']}`);
    } finally {
      await slow.stop();
    }
  });
});
