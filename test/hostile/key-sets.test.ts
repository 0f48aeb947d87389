import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { FLAWS, type Issuers, openIssuers } from './key-sets.ts';
import { type Case, type Ground, judge, openGround, settled } from './oracle.ts';

let ground: Ground;
let issuers: Issuers;
before(async () => {
  issuers = await openIssuers(() => ground.trap.url);
  const registered = FLAWS.map((_, i) => ({
    use: 'oidc' as const,
    id: `i${i}`,
    issuer: `${issuers.url}/${i}`,
    vouches: ['person' as const],
    clients: { 'refund-bot': 'refund-bot-app' },
    attributes: { groups: 'groups' },
  }));
  ground = await openGround({ config: { issuers: registered } }, [new URL(issuers.url).host]);
});
after(async () => {
  await ground.stop();
  await issuers.close();
});

const REFUSED = {
  issuer_unavailable: { status: 503, error: 'temporarily_unavailable', reason: 'issuer_unavailable', detail: 'keys_unavailable' },
  token_kid: { status: 400, error: 'invalid_request', reason: 'subject_bad', detail: 'token_kid' },
  token_signature: { status: 400, error: 'invalid_request', reason: 'subject_bad', detail: 'token_signature' },
} as const;

describe('key sets of configured issuers', () => {
  for (const [index, flaw] of FLAWS.entries()) {
    test(`${index + 1} ${flaw.name}: ${flaw.answer}`, async () => {
      const key = issuers.keys[index];
      assert.ok(key);
      const asking = { subject: { key, header: { kid: key.kid }, claims: { iss: `${issuers.url}/${index}` } } };
      if (flaw.answer === 'granted') assert.equal((await ground.rig.ask(asking)).status, 200);
      else await judge(ground, { name: flaw.name, asking: () => asking, ...REFUSED[flaw.answer] } satisfies Case);
      assert.equal(
        (await ground.rig.ask({ subject: { key: first(), header: { kid: 'good' }, claims: { iss: `${issuers.url}/0` } } })).status,
        200,
      );
    });
  }
  test('then: the chain verifies, metrics name nobody, nobody else was asked', () => settled(ground));
});
function first() {
  const [key] = issuers.keys;
  assert.ok(key);
  return key;
}
