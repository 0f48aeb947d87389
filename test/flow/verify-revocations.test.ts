/** The tool server's library follows a real broker: how soon a revocation is known there, and what happens while nothing is. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import {
  createVerifier,
  followRevocations,
  memoryConsumed,
  type Revocations,
  type RevocationsOptions,
  type Verifier,
  VerifyError,
} from '../../src/verify/verify.ts';
import type { JsonObject } from '../../src/wire/json.ts';
import { proofFor, REFUND, RESOURCE, type Rig, startRig } from '../support/rig.ts';
import { operate, revoke, tokenOf } from './front-door.ts';

let rig: Rig;
const followers: Revocations[] = [];
const shopAt = (more: Partial<RevocationsOptions> = {}): Verifier & { readonly revocations: Revocations } => {
  const revocations = followRevocations({ issuer: rig.issuer, resource: RESOURCE, clientId: 'shop', key: rig.server.private, ...more });
  followers.push(revocations);
  return { ...createVerifier({ issuer: rig.issuer, resource: RESOURCE, consumed: memoryConsumed(), revocations }), revocations };
};
before(async () => {
  rig = await startRig();
});
after(async () => {
  for (const one of followers) await one.close();
  await rig.stop();
});

const granted = async (): Promise<string> => tokenOf(await rig.ask());
async function present(verifier: Verifier, token: string, tool = 'create_refund', args: JsonObject = REFUND): Promise<string> {
  const dpop = await proofFor(rig.proofKey, { htm: 'POST', htu: RESOURCE, token }, rig.now());
  try {
    await verifier.verify({ tool, arguments: args, http: { method: 'POST', authorization: `DPoP ${token}`, dpop } });
    return 'ran';
  } catch (fault) {
    if (!(fault instanceof VerifyError)) throw fault;
    if (fault.status === 503) assert.equal(fault.headers['retry-after'], '2');
    return `${fault.status} ${fault.error} ${fault.code}`;
  }
}
const REVOKED = '401 invalid_token ERR_TOKEN_REVOKED';
const STALE = '503 temporarily_unavailable ERR_REVOCATIONS_STALE';
/** Milliseconds until the verifier says no to one token after another. The proof is made anew; the token is not used up by a no. */
async function untilRefused(verifier: Verifier, tokens: readonly string[], began: number): Promise<number> {
  for (const token of tokens) if ((await present(verifier, token)) === REVOKED) return performance.now() - began;
  return Number.POSITIVE_INFINITY;
}

describe('a verifier that follows', () => {
  test('a token revoked by its client is refused within a second; its neighbour runs', async () => {
    const verifier = shopAt();
    assert.equal(await present(verifier, await granted()), 'ran');
    const times: number[] = [];
    for (let i = 0; i < 10; i++) {
      const [one, other] = [await granted(), await granted()];
      const { seq } = verifier.revocations.status;
      const began = performance.now();
      assert.equal((await revoke(rig, one)).status, 200);
      while (verifier.revocations.status.seq === seq && performance.now() - began < 8_000) await new Promise((r) => setTimeout(r, 2));
      times.push(await untilRefused(verifier, [one], began));
      assert.equal(await present(verifier, other), 'ran');
    }
    times.sort((a, b) => a - b);
    console.log(`# a revocation reaches the verifier: median ${Math.round(times[5] ?? 0)} ms, worst ${Math.round(times[9] ?? 0)} ms of 10`);
    assert.ok((times[9] ?? 9e9) < 8_000, String(times));
  });

  test('each kind of halt is obeyed there, and its end too', async () => {
    const verifier = shopAt();
    const cases: readonly (readonly [string, string])[] = [
      ['agent', 'refund-bot'],
      ['owner', 'people:u_alice'],
      ['subject', 'people:u_bob'],
      ['tool', 'shop/create_refund'],
      ['server', 'shop'],
      ['all', ''],
    ];
    for (const [scope, target] of cases) {
      const token = await granted();
      assert.equal(await present(verifier, await granted()), 'ran', scope);
      const heard = async (): Promise<void> => {
        const { seq } = verifier.revocations.status;
        const limit = performance.now() + 8_000;
        while (verifier.revocations.status.seq === seq && performance.now() < limit) await new Promise((r) => setTimeout(r, 5));
      };
      const halted = heard();
      await operate(rig, '/operator/revocations', { scope, target, reason: 'drill' });
      await halted;
      assert.equal(await present(verifier, token), REVOKED, scope);
      const undone = heard();
      await operate(rig, '/operator/revocations/undo', { scope, target, reason: 'over' });
      await undone;
      assert.equal(await present(verifier, token), 'ran', scope);
    }
  });

  test('while nothing is known effects are refused and looking goes on', async () => {
    let gone = 0;
    const verifier = shopAt({ now: () => rig.now() + gone, readOnly: ['list_orders'], maxStaleSeconds: 3 });
    assert.equal(await present(verifier, await granted()), 'ran');
    gone = 120;
    assert.equal(await present(verifier, await granted()), STALE);
    const list = tokenOf(await rig.ask({ entry: { identifier: 'list_orders' }, args: {} }));
    assert.equal(await present(verifier, list, 'list_orders', {}), 'ran');
    gone = 0;
    const limit = performance.now() + 8_000;
    while (verifier.revocations.status.isStale && performance.now() < limit) await new Promise((r) => setTimeout(r, 20));
    assert.equal(await present(verifier, await granted()), 'ran');
  });

  test('one that is not registered knows nothing, and says so at once', async () => {
    const verifier = shopAt({ clientId: 'nobody' });
    assert.equal(await present(verifier, await granted()), STALE);
  });

  test('keeps no process alive', async () => {
    const file = join(rig.folder, 'follows.ts');
    const library = new URL('../../src/verify/verify.ts', import.meta.url).pathname;
    const key = rig.server.private.export({ format: 'pem', type: 'pkcs8' });
    writeFileSync(
      file,
      `import { createPrivateKey } from 'node:crypto';
       import { followRevocations } from ${JSON.stringify(library)};
       const key = createPrivateKey(${JSON.stringify(key)});
       const f = followRevocations({ issuer: ${JSON.stringify(rig.issuer)}, resource: ${JSON.stringify(RESOURCE)}, clientId: 'shop', key });
       while (f.status.isStale) await new Promise((r) => setTimeout(r, 20));
       console.log('known');`,
    );
    const began = performance.now();
    const { stdout } = await promisify(execFile)(process.execPath, [file], { timeout: 20_000 });
    assert.equal(stdout, 'known\n');
    assert.ok(performance.now() - began < 8_000, 'it ended long before the question did');
  });
});
