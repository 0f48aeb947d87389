/** What a passkey signs, as another program would make it: the figures are not this one's. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { type ActFacts, actOf, challengeOf, commitmentOf, type SignedFacts, signedOf } from '../../../src/approve/challenge.ts';
import { digest, EMPTY_DIGEST } from '../../../src/wire/digest.ts';
import { planned } from '../../../src/wire/signed.ts';

const ARGUMENTS = digest({ customer_id: 'cus_1' });
const FACTS: SignedFacts = {
  client: 'refund-bot',
  subject: 'people:u_carol',
  actors: ['refund-bot'],
  resource: 'https://mcp.shop.example/mcp',
  tool: 'delete_customer',
  credential: 'jwt',
  arguments: commitmentOf(ARGUMENTS, 'c2FsdA'),
  approval: 'apr_0123456789abcdef0123456789abcdef',
  bundle: 'b'.repeat(64),
  expires: 1_795_176_900,
  vote: 'approve',
};
it('is the SHA-256 of canonical JSON', () => {
  assert.equal(ARGUMENTS, 'sha-256:9Xf2NJA3m_z0DPfC5-F5aKegloFvW_wcLUCBCg5yHHY');
  assert.equal(FACTS.arguments, 'sha-256:vrJIlXYv3b6FlrO6pkHjPibyzXy98QKlGmIiB54NMH8');
  assert.equal(challengeOf(signedOf(FACTS)), 'App0_nbwnqngExqngQmw1_OaZ-4MQC0ldOeXCMhflcE');
  assert.equal(challengeOf(signedOf({ ...FACTS, steps: [0, 2] })), 'TB7uSaIT2LdGza_WrXHt0ju-li6nFJTkEF1MBsY9cpA');
});
it('is another one for whatever is otherwise', () => {
  const others: readonly Partial<SignedFacts>[] = [
    { client: 'triage-bot' },
    { subject: 'corp:u_carol' },
    { actors: [] },
    { actors: ['refund-bot', 'refund-bot'] },
    { resource: 'https://mcp.shop.example' },
    { tool: 'list_orders' },
    { credential: 'vault' },
    { arguments: commitmentOf(ARGUMENTS, 'c2FsdB') },
    { arguments: commitmentOf(digest({}), 'c2FsdA') },
    { approval: 'apr_1' },
    { bundle: 'c'.repeat(64) },
    { expires: 1_795_176_901 },
    { vote: 'confirm' },
    { steps: [] },
    { steps: [0] },
  ];
  const all = [FACTS, ...others.map((other) => ({ ...FACTS, ...other }))].map((facts) => challengeOf(signedOf(facts)));
  assert.equal(new Set(all).size, others.length + 1);
});

const ACT: ActFacts = {
  act: 'register',
  person: 'people:u_carol',
  credential: 'Y3JlZA',
  label: 'key ring é',
  offer: 'b2ZmZXI',
  expires: 1_795_176_900,
};
it('of a passkey that comes or goes it is made in the same way, and none of the others', () => {
  assert.equal(challengeOf(actOf(ACT)), 'eX-zN7Znzrpkbcea6ZMjpNeEuw64-tTQFyeVOBwovTc');
  const others: readonly Partial<ActFacts>[] = [
    { act: 'remove' },
    { person: 'corp:u_carol' },
    { credential: 'Y3JlZB' },
    { label: 'key ring' },
    { offer: 'b2ZmZXJ' },
    { expires: 1_795_176_901 },
  ];
  const all = [ACT, ...others.map((other) => ({ ...ACT, ...other }))].map((facts) => challengeOf(actOf(facts)));
  assert.equal(new Set([...all, challengeOf(signedOf(FACTS))]).size, others.length + 2);
});
it('of a plan the arguments are those of each step, or their digest where they are hidden', () => {
  const at = { resource: 'https://mcp.shop.example/mcp' };
  const steps = [
    { ...at, tool: 'delete_customer', arguments: { customer_id: 'cus_1' }, digest: ARGUMENTS },
    { ...at, tool: 'set_secret', digest: EMPTY_DIGEST },
  ];
  assert.equal(digest(planned(true, steps)), 'sha-256:dPqZxTlblGqWQ9L60DGB4_ZNmTX_kehS3dyx54k4H64');
  assert.notEqual(digest(planned(false, steps)), digest(planned(true, steps)));
});
