import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { ExchangeRequest } from '../../../src/request.ts';
import { digest, EMPTY_DIGEST, sha256 } from '../../../src/wire/digest.ts';
import { TYPE_JWT } from '../../../src/wire/oauth.ts';
import {
  ARGS,
  actorToken,
  BANK,
  bundle,
  details,
  fingerprint,
  JKT,
  LIST,
  NOW,
  newDraft,
  openRoom,
  outcome,
  SHOP,
  SUB_JKT,
} from './room.ts';

const room = await openRoom();
after(() => room[Symbol.asyncDispose]());
type Change = Parameters<typeof room.exchange>[0];
const { jkt: _, ...keyless } = room.caller;
const ask = async (change: Change, caller = room.caller, draft = newDraft()) =>
  room.authenticate.asked(await room.exchange(change), caller, bundle, draft);
const self: Change = { grant: 'client_credentials', subjectToken: undefined, subjectTokenType: undefined };

test('a tool call: everything proved, everything noted, arguments as HMAC alone', async () => {
  const draft = newDraft();
  const context = { session: 's', model: 'm' };
  const asked = await ask({ details: details({ purpose: 'ticket 4711', context }) }, room.caller, draft);
  assert.ok(asked.ok);
  const { action, actors, server, kind, jkt, deferred, retry } = asked.value;
  assert.ok(action.kind === 'call');
  assert.deepEqual([action.call.digest, action.tool.name], [digest(ARGS), 'create_refund']);
  assert.deepEqual(
    [actors.map((a) => a.id), server.id, kind, jkt, deferred, retry],
    [['refund-bot'], 'shop', 'jwt', JKT, false, undefined],
  );
  assert.deepEqual(draft.facts, {
    credential: 'jwt',
    resource: SHOP,
    tool: 'create_refund',
    arguments: fingerprint(ARGS),
    purpose: 'ticket 4711',
    context,
    recorded: { amount_minor: 4250 },
    subject: 'people:u_alice',
    actors: ['refund-bot'],
  });
  assert.deepEqual(draft.spent, []);
});
test('an agent for itself is its own subject, and nobody acts', async () => {
  const draft = newDraft();
  const asked = await ask(self, room.caller, draft);
  assert.ok(asked.ok);
  assert.equal(asked.value.subject, room.caller.client);
  assert.deepEqual([asked.value.actors, draft.facts.subject, draft.facts.actors], [[], 'refund-bot', []]);
  assert.equal(asked.value.until, NOW + 86_400);
});
test('a base token: no details, tool:list among the scopes; with a key or without', async () => {
  for (const [caller, jkt] of [
    [room.caller, JKT],
    [keyless, undefined],
  ] as const) {
    for (const change of [LIST, { ...self, ...LIST }]) {
      const asked = await ask(change, caller);
      assert.ok(asked.ok);
      assert.deepEqual([asked.value.action, asked.value.jkt], [{ kind: 'list' }, jkt]);
    }
  }
});
test('neither details nor scope: tool:list is the default, as RFC 6749 §3.3 lets it be', async () => {
  for (const change of [{ details: undefined }, { ...self, details: undefined }]) {
    const asked = await ask(change);
    assert.ok(asked.ok);
    assert.deepEqual(asked.value.action, { kind: 'list' });
  }
});
test('details outrank tool:list', async () => {
  const asked = await ask({ scope: 'tool:list' });
  assert.ok(asked.ok && asked.value.action.kind === 'call');
});

const NO: readonly (readonly [string, Change, string])[] = [
  ['neither details nor tool:list', { details: undefined, scope: 'tool:create_refund' }, 'request_malformed/authorization_details'],
  ['a scope like it', { details: undefined, scope: 'tool:listing tool:create_refund' }, 'request_malformed/authorization_details'],
  ['no subject token', { subjectToken: undefined }, 'request_malformed/subject_token'],
  ['no subject type', { subjectTokenType: undefined }, 'request_malformed/subject_token_type'],
  ['client_credentials with a subject', { grant: 'client_credentials' }, 'request_malformed/subject_token'],
  ['client_credentials with a type', { ...self, subjectTokenType: TYPE_JWT }, 'request_malformed/subject_token'],
  ['client_credentials with an actor', { ...self, actorToken: 'x' }, 'request_malformed/actor_token'],
  ['an unknown resource', { resource: 'https://evil.example/mcp' }, 'resource_unknown'],
  ['a resource with a slash', { resource: `${SHOP}/` }, 'resource_unknown'],
  ['a resource in capitals', { resource: SHOP.toUpperCase() }, 'resource_unknown'],
  ['details that are not JSON', { details: '[' }, 'details_bad/json_syntax'],
  ['empty details', { details: '' }, 'details_bad/json_syntax'],
  ['details for another server', { details: details({}, BANK) }, 'details_bad/details_location'],
  [
    'one argument twice',
    { details: details().replace('{"payment_id"', '{"payment_id":"a","payment_id"') },
    'details_bad/json_duplicate_key',
  ],
  ['a digest of other arguments', { details: details({ arguments_digest: EMPTY_DIGEST }) }, 'details_bad/digest_mismatch'],
  ['an unknown tool', { details: details({ identifier: 'drop_tables' }) }, 'tool_unknown'],
  ["a tool of an object's own", { details: details({ identifier: 'constructor' }) }, 'tool_unknown'],
  ['arguments against the schema', { details: details({ arguments: { amount_minor: 1 } }) }, 'arguments_bad/schema_required'],
  ['no arguments where the schema wants some', { details: details({ arguments: undefined }) }, 'arguments_bad/schema_required'],
  ['a digest alone', { details: details({ arguments: undefined, arguments_digest: digest(ARGS) }) }, 'arguments_bad/arguments_absent'],
];
for (const [name, change, answer] of NO) {
  test(`${answer}: ${name}`, async () => assert.equal(outcome(await ask(change)), answer));
}
test('proof_bad/proof_absent: a tool call without a key, before any token is looked at', async () => {
  assert.equal(outcome(await ask({ subjectToken: 'x.y.z' }, keyless)), 'proof_bad/proof_absent');
  assert.equal(outcome(await ask({ ...self }, keyless)), 'proof_bad/proof_absent');
});
test('a hidden tool takes the digest alone, and its arguments too', async () => {
  const alone = await ask({ details: details({ identifier: 'write_note', arguments: undefined, arguments_digest: digest(ARGS) }) });
  assert.ok(alone.ok && alone.value.action.kind === 'call');
  assert.deepEqual([alone.value.action.call.digest, alone.value.action.call.arguments], [digest(ARGS), undefined]);
  assert.equal(outcome(await ask({ details: details({ identifier: 'write_note' }) })), 'ok');
  assert.equal(outcome(await ask({ details: details({ identifier: 'write_note', arguments: {} }) })), 'arguments_bad/schema_required');
});
test('arguments that fail the schema are known by their HMAC, never in clear', async () => {
  const draft = newDraft();
  const args = { amount_minor: 'secret' };
  assert.equal(outcome(await ask({ details: details({ arguments: args }) }, room.caller, draft)), 'arguments_bad/schema_required');
  assert.equal(draft.facts.arguments, fingerprint(args));
  assert.equal(draft.facts.recorded, undefined);
});
test('the order of work: subject before resource, resource before details', async () => {
  const everything: Change = { subjectToken: await room.idToken({ exp: NOW }), resource: 'https://x.example', details: '[' };
  assert.equal(outcome(await ask(everything)), 'subject_bad/token_expired');
  assert.equal(outcome(await ask({ ...everything, subjectToken: await room.idToken() })), 'resource_unknown');
});
test('a resource that cannot stand in an entry is not noted', async () => {
  for (const resource of [`https://x.example/${'a'.repeat(512)}`, 'https://x.example/\ud800']) {
    const draft = newDraft();
    assert.equal(outcome(await ask({ resource }, room.caller, draft)), 'resource_unknown');
    assert.equal(draft.facts.resource, undefined);
  }
});
test('an issuer reaches the servers it is registered for: its services, and its agents', async () => {
  const service: Change = { subjectTokenType: TYPE_JWT, subjectToken: await room.workload({ sub: 'system:orders' }) };
  const there: Change = { resource: BANK, details: details({}, BANK) };
  assert.equal(outcome(await ask(service)), 'ok');
  assert.equal(outcome(await ask({ ...service, ...there })), 'resource_refused');
  assert.equal(outcome(await ask(there)), 'ok', 'people reach all');
  const client = bundle.agents.byClient('ci-bot');
  assert.ok(client);
  assert.equal(outcome(await ask(self, { client, jkt: JKT })), 'ok');
  assert.equal(outcome(await ask({ ...self, ...there }, { client, jkt: JKT })), 'resource_refused');
});

test('an Idempotency-Key: one key a client, one fingerprint an asking', async () => {
  const first = await ask({ retry: 'k1' });
  assert.ok(first.ok && first.value.retry);
  assert.equal(first.value.retry.key, `retry/refund-bot/${sha256('k1')}`);
  assert.match(first.value.retry.fingerprint, /^[A-Za-z0-9_-]{43}$/);
  const of = async (change: Change, caller = room.caller): Promise<string | undefined> => {
    const asked = await ask({ retry: 'k1', ...change }, caller);
    assert.ok(asked.ok, outcome(asked));
    assert.equal(asked.value.retry?.key, first.value.retry?.key);
    return asked.value.retry?.fingerprint;
  };
  const same: readonly Change[] = [{}, { subjectToken: await room.idToken({ iat: NOW - 3, exp: NOW + 60 }) }];
  for (const change of same) assert.equal(await of(change), first.value.retry.fingerprint);
  const others: readonly Change[] = [
    { subjectToken: await room.idToken({ sub: 'u_bob' }) },
    { resource: BANK, details: details({}, BANK) },
    { details: details({ arguments: { ...ARGS, amount_minor: 4251 } }) },
    { details: details({ purpose: 'another' }) },
    { scope: 'tool:list' },
    LIST,
    { kind: 'vault' },
    { deferred: true },
    self,
    { actorToken: await actorToken('lookup-bot') },
  ];
  const seen = new Set([first.value.retry.fingerprint]);
  for (const change of others) seen.add(String(await of(change)));
  seen.add(String(await of({}, { ...room.caller, jkt: SUB_JKT })));
  assert.equal(seen.size, others.length + 2);
});
test('who asks without Idempotency-Key is remembered by nothing', async () => {
  const request: ExchangeRequest = await room.exchange();
  assert.equal('retry' in request, false);
  const asked = await room.authenticate.asked(request, room.caller, bundle, newDraft());
  assert.ok(asked.ok && !('retry' in asked.value));
});
