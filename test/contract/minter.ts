/** What every minter must do. Written against the port alone, so that it runs unchanged on each: a fake, Vault, STS, and what is signed here. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Ending, Minter, Order } from '../../src/mint/minter.ts';
import type { Credential, Grant, Job, Lease } from '../../src/model.ts';

export interface MinterMade {
  readonly minter: Minter;
  /** One that it can do, more than once. */
  readonly job: Job;
  /** What must be refused before anything leaves the process, each with the reason. */
  readonly refused: Readonly<Record<string, readonly [Job, string]>>;
  /** Epoch seconds, as the minter and its back end have it. */
  readonly now: () => number;
  /** Calls that have reached the back end so far; always 0 where nothing leaves the process. */
  readonly calls: () => number;
  /** Does it open anything now? Absent: it cannot be tried here. */
  readonly works?: (credential: Credential) => Promise<boolean>;
  /** The back end answers nobody, until it is told otherwise. Absent: it cannot be had so here. */
  readonly hang?: (hangs: boolean) => void;
  readonly close: () => Promise<void>;
}
/** A credential ends within so many seconds of what was granted: a back end counts in its own steps. */
const LIFE_SECONDS = 60;
const PATIENCE_MS = 300;
const waiting = (ms = 5_000) => ({ signal: AbortSignal.timeout(ms) });

/** `make`: called once. */
export function minterContract(name: string, make: () => Promise<MinterMade>): void {
  describe(`minter contract: ${name}`, () => {
    let on: MinterMade;
    let grants = 0;
    before(async () => {
      on = await make();
    });
    after(() => on.close());

    const grant = (life = LIFE_SECONDS): Grant => {
      const root = `${Date.now().toString(16)}${String(grants++).padStart(8, '0')}`;
      const [iat, exp] = [on.now(), on.now() + life];
      const { server, subject } = on.job;
      const claims = {
        iss: 'https://broker.example',
        sub: subject,
        aud: server.resource,
        iat,
        exp,
        jti: `tok_${root}`,
        txn: `txn_${root}`,
      };
      return frozen({ jti: `tok_${root}`, txn: `txn_${root}`, iat, exp, scope: '', claims, policies: [] });
    };
    const order = (given = grant()): Order => {
      const prepared = on.minter.prepare(frozen(on.job), given);
      assert.ok(prepared.ok, prepared.ok ? '' : `${prepared.error.reason} ${prepared.error.detail}`);
      return prepared.value;
    };
    const run = async (given = grant()): Promise<Credential & { readonly order: Order }> => {
      const prepared = order(given);
      const made = await prepared.run(waiting());
      assert.ok(made.ok, made.ok ? '' : `${made.error.reason} ${made.error.detail}`);
      return { ...made.value, order: prepared };
    };
    const leaseOf = ({ lease }: Credential): Lease => {
      assert.ok(lease, 'what leaves the process has a lease');
      return lease;
    };

    it('prepares without a call, and the same from the same', () => {
      const before = on.calls();
      const given = grant();
      const [first, second] = [order(given), order(given)];
      assert.equal(on.calls(), before);
      assert.equal(first.lease === undefined, second.lease === undefined);
      if (!first.lease || !second.lease) return;
      const { id: _, ...one } = first.lease;
      const { id: __, ...two } = second.lease;
      assert.deepEqual(one, two);
      assert.deepEqual([one.kind, one.txn, one.handle, one.name], [on.minter.kind, given.txn, undefined, undefined]);
      assert.ok(one.exp <= given.exp && one.cap >= 1);
      assert.deepEqual([one.where, one.cap], [on.job.registration?.where, on.job.registration?.cap]);
    });

    it('refuses what it cannot do before anything leaves the process', () => {
      const before = on.calls();
      for (const [what, [job, reason]] of Object.entries(on.refused)) {
        const prepared = on.minter.prepare(frozen(job), grant());
        assert.equal(prepared.ok ? 'prepared' : prepared.error.reason, reason, what);
      }
      assert.equal(on.calls(), before);
    });

    it('makes what ends no later than was granted, and says when', async () => {
      const given = grant();
      const made = await run(given);
      assert.equal(made.kind, on.minter.kind);
      assert.ok(made.token.length > 0 && /^[\w.~-]+$/.test(made.token), 'a token is one word');
      assert.ok(Number.isSafeInteger(made.effectiveExpiry));
      assert.ok(made.effectiveExpiry <= given.exp && made.effectiveExpiry > on.now());
      assert.equal(made.lease === undefined, made.order.lease === undefined);
      if (made.lease) {
        assert.deepEqual([made.lease.kind, made.lease.txn, made.lease.where], [on.minter.kind, given.txn, on.job.registration?.where]);
        assert.ok(made.lease.exp >= made.effectiveExpiry && made.lease.exp <= given.exp, 'a lease ends with what it is for');
      }
      if (on.works) assert.equal(await on.works(made), true);
    });

    it('makes another one each time', async () => {
      const given = grant();
      const [first, second] = [await run(given), await run(given)];
      // What is signed here may be signed again; what is made elsewhere is two things, with two ends.
      if (!first.order.lease) return;
      assert.notEqual(first.token, second.token);
      if (leaseOf(first).handle !== undefined) assert.notEqual(leaseOf(first).handle, leaseOf(second).handle);
    });

    it('keeps secrets out of everything but token and handle', async () => {
      const made = await run();
      const secrets = [
        ...secretsIn(made.token),
        ...(made.lease?.handle === undefined ? [] : [made.lease.handle, made.lease.handle.slice(1)]),
      ];
      const { handle: _, ...open } = made.lease ?? { handle: '' };
      const { detail } = await on.minter.describe(waiting());
      for (const text of [JSON.stringify(open), JSON.stringify(made.order.lease ?? {}), detail])
        for (const secret of secrets) assert.ok(!text.includes(secret), `a secret stands in ${text.replaceAll(secret, '…')}`);
    });

    it('ends what it made, again and again; or says when it dies', async () => {
      const made = await run();
      const lease: Lease = made.lease ?? bare(made);
      const first = await on.minter.revoke(lease, waiting());
      assert.deepEqual(await on.minter.revoke(lease, waiting()), first);
      if (first.end === 'revoked' && on.works) assert.equal(await on.works(made), false);
      if (first.end === 'dies') assert.ok(first.at <= lease.exp, 'no later than its lease says');
      assert.notEqual(first.end, 'unknown');
    });

    it('ends one and not the next', async () => {
      const [first, second] = [await run(), await run()];
      if (!first.lease || !on.works) return;
      await on.minter.revoke(first.lease, waiting());
      assert.equal(await on.works(second), true);
      if (second.lease) await on.minter.revoke(second.lease, waiting());
    });

    it('has an answer for a mint that never answered', async () => {
      const prepared = order();
      const lease: Lease = prepared.lease ? withoutCap(prepared.lease) : bare({ effectiveExpiry: on.now() + LIFE_SECONDS });
      const ending: Ending = await on.minter.revoke(lease, waiting());
      if (ending.end === 'dies') assert.ok(ending.at <= lease.exp);
    });

    it('says within a second how it is', async () => {
      const began = performance.now();
      const { ready, detail } = await on.minter.describe(waiting());
      assert.ok(ready && detail.length > 0 && performance.now() - began < 1_000);
    });

    it('leaves when whoever waits has left, and says that it is not well', async () => {
      if (!on.hang) return;
      const prepared = order();
      const made = await run();
      on.hang(true);
      try {
        const began = performance.now();
        await assert.rejects(async () => {
          const answer = await prepared.run(waiting(PATIENCE_MS));
          // A no that says nothing was made would be a lie.
          assert.ok(!answer.ok, 'it hangs');
          assert.fail(`a no: ${answer.error.reason}`);
        });
        assert.ok(performance.now() - began < PATIENCE_MS + 1_000, 'no later than its deadline');
        const ending = await on.minter.revoke(leaseOf(made), waiting(PATIENCE_MS)).catch(() => undefined);
        assert.notEqual(ending?.end, 'revoked', 'nobody said so');
        const health = await on.minter.describe(waiting(2_000)).catch(() => undefined);
        assert.notEqual(health?.ready, true);
        assert.ok(performance.now() - began < 2 * PATIENCE_MS + 3_500);
      } finally {
        on.hang(false);
      }
      assert.notEqual((await on.minter.revoke(leaseOf(made), waiting())).end, 'unknown', 'and is well again');
    });
  });
}

/** Every text of a token that is base64url JSON; a JWT is public but for its signature. */
function secretsIn(token: string): readonly string[] {
  if (token.includes('.')) return [token, token.split('.')[2] ?? token];
  const found: string[] = [];
  const walk = (value: unknown): void => {
    if (typeof value === 'string' && value.length >= 12) found.push(value);
    else if (typeof value === 'object' && value !== null) for (const one of Object.values(value)) walk(one);
  };
  walk(JSON.parse(Buffer.from(token, 'base64url').toString()));
  return [token, ...found];
}
function withoutCap({ cap: _, ...lease }: Lease & { readonly cap: number }): Lease {
  return lease;
}
const bare = ({ effectiveExpiry }: { readonly effectiveExpiry: number }): Lease => ({
  id: 'lea_none',
  txn: 'txn_none',
  kind: 'jwt',
  where: '',
  exp: effectiveExpiry,
});
/** Prepared from what nobody may change. */
function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null || value instanceof Map) return value;
  for (const one of Object.values(value)) frozen(one);
  return Object.freeze(value);
}
