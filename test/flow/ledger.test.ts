/** One schema, every path the same members; what must never be written down; and the whole story in words. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { verifyLedger } from '../../scripts/verify-ledger.ts';
import type { Entry } from '../../src/model.ts';
import type { JsonObject } from '../../src/wire/json.ts';
import { documentedClient } from '../support/documented.ts';
import { jwt, newKey } from '../support/keys.ts';
import { type Answer, type Asking, answerOf, REFUND, RESOURCE, type Rig, startRig } from '../support/rig.ts';
import {
  type AheadWorld,
  aheadWorld,
  asItself,
  claimsOf,
  clientForm,
  editBundle,
  get,
  introspect,
  LIST,
  revoke,
  tokenOf,
} from './front-door.ts';

/** By where it stands: what may reach the ledger, and what may reach nothing. */
const CANARY = {
  purpose: 'cnry-purpose-1b',
  session: 'cnry-session-2c',
  argument: 'cnry-argument-3d',
  retry: 'cnry-retry-4e',
  stray: 'cnry-stray-5f',
};
const ARGS: JsonObject = { ...REFUND, payment_id: CANARY.argument, reason: `because ${CANARY.argument}` };
const SPOKEN: Asking = { args: ARGS, entry: { purpose: CANARY.purpose, context: { session: CANARY.session, trace: 't-1', model: 'm-1' } } };

let rig: Rig;
let world: AheadWorld;
const secrets = new Set<string>();
const answers: string[] = [];
before(async () => {
  world = aheadWorld();
  rig = await startRig({ world });
  secrets.add(await rig.nonce());
  for (const key of [...Object.values(rig.agents), rig.server, rig.proofKey, rig.idp.key])
    secrets.add(String(key.private.export({ format: 'jwk' }).d));
  secrets.add(readFileSync(join(rig.folder, 'key'), 'utf8').trim());
});
after(() => rig.stop());

/** Asks, and remembers everything in it that nobody may read again. */
async function ask(asking: Asking = {}, made: () => void = () => undefined): Promise<Answer> {
  const { body, headers } = await rig.form({ ...SPOKEN, ...asking });
  const form = new URLSearchParams(body);
  const tokens = ['client_assertion', 'subject_token', 'actor_token'].flatMap((name) => form.get(name) ?? []);
  for (const token of [...tokens, headers['dpop'] ?? '']) keep(token);
  made();
  const answer = await answerOf(await fetch(`${rig.issuer}/token`, { method: 'POST', headers, body }));
  const given = answer.body['access_token'];
  if (typeof given === 'string') keep(given);
  const { 'dpop-nonce': nonce, ...rest } = Object.fromEntries(answer.headers);
  assert.ok(nonce !== undefined || answer.status === 503, 'the one place of a nonce');
  answers.push(typeof given === 'string' ? answer.text.replace(given, '') : answer.text, JSON.stringify(rest));
  return answer;
}
/** A token by its parts: whoever has its claims or its signature has read it. */
function keep(token: string): void {
  for (const part of token.split('.').slice(1)) if (part.length > 16) secrets.add(part);
}
const rows = async (): Promise<readonly JsonObject[]> =>
  (await rig.app.store.scan({ term: 'entry', limit: 10_000 })).map((row) => row.value as JsonObject);
const operator = () => documentedClient(join(rig.folder, 'operator.sock'));
const receipt = (token: string, key = rig.server): Promise<string> => {
  const at = rig.now();
  const claims = { iss: 'shop', sub: 'shop', aud: rig.issuer, iat: at, exp: at + 60, jti: randomUUID(), txn: claimsOf(token)['txn'] };
  const said = { outcome: 'done', amounts: { amount_minor: 4250 }, proof: `x.${CANARY.stray}.y` };
  return jwt(key, { alg: 'ES256', typ: 'countersign-receipt+jwt' }, { ...claims, ...said });
};
async function send(text: string): Promise<Answer> {
  keep(text);
  const headers = { 'content-type': 'application/jwt' };
  return answerOf(await fetch(`${rig.issuer}/receipts`, { method: 'POST', headers, body: text }));
}
const TOO_MUCH: Asking = { args: { ...ARGS, amount_minor: 9000 } };

/** Every way an entry comes to be, by kind and what was asked. */
const paths: readonly (readonly [string, string, () => Promise<unknown>])[] = [
  ['minted', 'exchange', () => ask()],
  ['minted', 'exchange', () => ask({ ...LIST })],
  ['minted', 'exchange', () => ask({ entry: { ...SPOKEN.entry, identifier: 'list_orders' }, args: {}, actor: {} })],
  ['minted', 'client_credentials', () => ask(asItself(rig, 'nightly-report'))],
  ['minted', 'exchange', () => ask({ headers: { 'idempotency-key': CANARY.retry } })],
  ['minted', 'exchange', () => ask({ headers: { 'idempotency-key': CANARY.retry } })],
  ['refused', 'exchange', () => ask(TOO_MUCH)],
  ['refused', 'exchange', () => ask({ ...TOO_MUCH, headers: { 'idempotency-key': CANARY.retry } })],
  ['refused', 'exchange', () => ask({ subject: { claims: { exp: rig.now() - 5, email: CANARY.stray } } })],
  ['refused', 'exchange', () => ask({ assertion: { key: newKey() } })],
  ['refused', 'exchange', () => ask({ assertion: null })],
  ['refused', 'exchange', () => ask({ proof: { claims: { htu: `https://${CANARY.stray}.example/` } } })],
  ['refused', 'exchange', () => ask({ nonce: `${CANARY.stray}-nonce` })],
  ['refused', 'exchange', () => ask({ args: { ...ARGS, [CANARY.stray]: 1 } })],
  ['refused', 'exchange', () => ask({ args: { ...ARGS, currency: CANARY.stray } })],
  ['refused', 'exchange', () => ask({ details: `[{"${CANARY.stray}":` })],
  ['refused', 'exchange', () => ask({ entry: { ...SPOKEN.entry, identifier: CANARY.stray } })],
  ['refused', 'exchange', () => ask({ entry: { ...SPOKEN.entry, [CANARY.stray]: 1 } })],
  ['refused', 'exchange', () => ask({ form: { resource: `https://${CANARY.stray}.example/mcp` } })],
  ['refused', 'exchange', () => ask({ form: { client_id: CANARY.stray } })],
  ['refused', 'unread', () => ask({ form: { grant_type: CANARY.stray } })],
  ['refused', 'unread', () => ask({ form: { client_secret: CANARY.stray } })],
  ['refused', 'unread', () => ask({ body: () => `${CANARY.stray}=%` })],
  ['refused', 'deferred', () => ask({ form: { grant_type: 'urn:ietf:params:oauth:grant-type:deferred', deferral_code: CANARY.stray } })],
  ['revoked', 'revoke', async () => revoke(rig, tokenOf(await ask()))],
  ['refused', 'revoke', async () => revoke(rig, tokenOf(await ask()), 'nightly-report')],
  ['refused', 'introspect', () => introspect(rig, CANARY.stray, 'shop', newKey())],
  ['receipt', 'receipt', async () => send(await receipt(tokenOf(await ask())))],
  ['refused', 'receipt', async () => send(await receipt(tokenOf(await ask()), newKey()))],
  ['key', 'operator', () => operator()('POST', '/operator/keys/publish', {})],
  ['refused', 'operator', () => operator()('POST', '/operator/keys/activate', {})],
  [
    'bundle',
    'bundle',
    async () => {
      await editBundle(join(rig.folder, 'policies'), 'refunds.cedar', '> 5000', '> 4999');
      await rig.app.reload();
    },
  ],
  ['faulted', 'client_credentials', () => ask(asItself(rig, 'nightly-report'), () => world.jump(600)).finally(() => world.jump(-600))],
];

describe('every path', () => {
  it('leaves an entry of its kind, and every entry has the same members', async () => {
    for (const [kind, request, walk] of paths) {
      const seq = await rig.count();
      await walk();
      const last = (await rig.entries(seq)).at(-1);
      assert.deepEqual([last?.kind, last?.request], [kind, request], walk.toString());
    }
    const all = await rows();
    assert.ok(all.length >= paths.length);
    const members = Object.keys(all[0] ?? {});
    assert.equal(members.length, 30);
    for (const row of all) assert.deepEqual(Object.keys(row), members);
    const kinds = new Set(all.map((row) => row['kind']));
    assert.deepEqual([...kinds].sort(), ['bundle', 'faulted', 'key', 'minted', 'receipt', 'refused', 'revoked']);
  });

  it('chains them: verify-ledger reads the file of the running broker', async () => {
    const report = await verifyLedger(join(rig.folder, 'data', 'countersign.db'));
    assert.deepEqual([report.ok, report.count], [true, await rig.count()]);
  });
});

describe('a denial is as rich as a grant', () => {
  const known = (entry: Entry | undefined): readonly string[] => Object.keys(entry ?? {}).sort();
  const grantOnly = ['exp', 'jti', 'txn'];
  const cases: readonly (readonly [string, Asking, readonly string[], readonly string[]])[] = [
    ['by policy', TOO_MUCH, ['reason', 'code', 'detail'], []],
    ['for want of a permit', { subject: { claims: { groups: [] } } }, ['reason', 'code', 'detail'], []],
    ['for the arguments', { args: { ...ARGS, amount_minor: 'all of it' } }, ['reason', 'detail'], ['policies', 'recorded']],
    ['for the subject token', { subject: { claims: { aud: 'other' } } }, ['reason', 'detail'], ['actors', 'policies', 'subject']],
    ['for may_act', { subject: { claims: { may_act: {} } } }, ['reason'], ['policies']],
  ];
  for (const [name, asking, more, less] of cases) {
    it(name, async () => {
      const seq = await rig.count();
      assert.equal((await ask({ args: { ...ARGS, amount_minor: 100 } })).status, 200);
      assert.notEqual((await ask(asking)).status, 200);
      const [granted, denied] = await rig.entries(seq);
      const expected = [...known(granted).filter((member) => !grantOnly.includes(member) && !less.includes(member)), ...more].sort();
      assert.deepEqual(known(denied), expected);
      for (const member of ['client', 'owner', 'resource', 'tool', 'purpose', 'context', 'jkt', 'bundle'] as const)
        assert.deepEqual(denied?.[member], granted?.[member]);
    });
  }

  it('says who, for whom, what, why, by which rule, and of the arguments what the registration lets it say', async () => {
    const seq = await rig.count();
    const answer = await ask(TOO_MUCH);
    const [entry] = await rig.entries(seq);
    assert.ok(entry);
    const { at, arguments: mac, bundle, exchange, ...rest } = entry;
    assert.ok(Math.abs(at - rig.now()) < 5);
    assert.match(String(mac), /^[A-Za-z0-9_-]{43}$/);
    assert.match(String(bundle), /^[0-9a-f]{64}$/);
    assert.equal(answer.body['decision_id'], exchange);
    assert.deepEqual(rest, {
      kind: 'refused',
      request: 'exchange',
      client: 'refund-bot',
      owner: 'people:u_alice',
      subject: 'people:u_bob',
      actors: ['refund-bot'],
      resource: RESOURCE,
      tool: 'create_refund',
      recorded: { amount_minor: 9000, currency: 'EUR' },
      purpose: CANARY.purpose,
      context: { session: CANARY.session, trace: 't-1', model: 'm-1' },
      jkt: rig.proofKey.jkt,
      credential: 'jwt',
      policies: ['refund-limit'],
      reason: 'policy_denied',
      code: 'refund_too_large',
      detail: 'subject',
    });
  });

  it('names the same arguments alike and others otherwise, under a key that no reader of the file has', async () => {
    const seq = await rig.count();
    const { reason, ...without } = ARGS;
    for (const args of [ARGS, { reason: reason ?? '', ...without }, without]) await ask({ args });
    const [one, two, three] = (await rig.entries(seq)).map((entry) => entry.arguments);
    assert.equal(one, two);
    assert.notEqual(one, three);
    const granted = claimsOf(tokenOf(await ask()))['authorization_details'] as readonly JsonObject[];
    assert.equal(String(granted[0]?.['arguments_digest']).includes(String(one)), false);
  });
});

describe('never written down', () => {
  const file = (suffix: string): Buffer => {
    const path = join(rig.folder, 'data', `countersign.db${suffix}`);
    return existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
  };
  const spellings = (text: string): readonly string[] => [text, Buffer.from(text).toString('base64url'), Buffer.from(text).toString('hex')];

  it('in the ledger’s file: tokens, assertions, proofs, nonces, keys, arguments', () => {
    const bytes = Buffer.concat(['', '-wal', '-shm', '.lock'].map(file));
    assert.ok(bytes.includes('refund_too_large'), 'this is where it is written');
    for (const name of ['purpose', 'session'] as const) assert.ok(bytes.includes(CANARY[name]), name);
    assert.ok(secrets.size > 100);
    for (const secret of secrets) assert.equal(bytes.includes(secret), false, 'a token, an assertion, a proof, a nonce or a key');
    for (const name of ['argument', 'retry'] as const)
      for (const text of spellings(CANARY[name])) assert.equal(bytes.includes(text), false, name);
    assert.equal(
      bytes.includes(Buffer.from(readFileSync(join(rig.folder, 'key'), 'utf8').trim(), 'base64url')),
      false,
      'the secret itself',
    );
    assert.equal(bytes.includes('"d":'), false, 'a private key in clear');
  });

  it('in the log, the metrics and the answers: those, and whatever else was presented', async () => {
    const log = rig.log.join('\n');
    const metrics = (await get(rig, '/metrics')).text;
    assert.ok(log.includes('refund_too_large') && metrics.includes('policy_denied') && answers.length > 50);
    for (const [name, text] of Object.entries({ log, metrics, answers: answers.join('\n') })) {
      for (const secret of secrets) assert.equal(text.includes(secret), false, `a secret in the ${name}`);
      for (const [place, canary] of Object.entries(CANARY))
        for (const spelt of spellings(canary)) assert.equal(text.includes(spelt), false, `the ${place} in the ${name}`);
    }
    for (const who of ['refund-bot', 'u_bob', 'u_alice', 'create_refund', RESOURCE]) assert.equal(metrics.includes(who), false, who);
  });
});

it('a client that never proved itself is nobody in the ledger, whatever it calls itself', async () => {
  const seq = await rig.count();
  await ask({ assertion: { key: newKey(), claims: { iss: 'refund-bot', sub: 'refund-bot' } } });
  await clientForm(rig, 'refund-bot');
  const [entry] = await rig.entries(seq);
  assert.deepEqual([entry?.client, entry?.subject, entry?.reason], [undefined, undefined, 'client_unauthenticated']);
});
