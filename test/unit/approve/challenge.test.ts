/** What a passkey signs, as another program would make it: the figures are not this one's. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { challengeOf, commitmentOf, type SignedFacts, signedOf } from '../../../src/approve/challenge.ts';
import { digest } from '../../../src/wire/digest.ts';

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
