/** The signed feed (wire.md §7): what each tool server is told of what no longer stands, and how soon. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import type { Bundle } from '../../src/model.ts';
import { createDeparted } from '../../src/settle-departed.ts';
import { isObject, type JsonObject } from '../../src/wire/json.ts';
import { readStanding, type Standing, standingDigest, subjectMark } from '../../src/wire/revocations.ts';
import { newKey, type TestKey } from '../support/keys.ts';
import { RESOURCE, type Rig, startRig } from '../support/rig.ts';
import { addSecondServer, claimsOf, clientForm, editBundle, operate, post, revoke, tokenOf } from './front-door.ts';

const BILLING = 'http://127.0.0.1:9091/mcp';
const NOTHING: Standing = { all: false, agents: [], subjects: [], tools: [], tokens: [] };

let rig: Rig;
let billing: TestKey;
before(async () => {
  rig = await startRig({
    bundle: async (folder) => {
      billing = await addSecondServer(folder);
    },
  });
});
after(() => rig.stop());

interface Told {
  readonly claims: JsonObject;
  readonly stands: Standing | undefined;
  readonly held: string | undefined;
}
async function ask(form: Record<string, string> = {}, id = 'shop', key: TestKey = rig.server): Promise<Told> {
  const answer = await post(rig, '/revocations', { ...(await clientForm(rig, id, key)), ...form });
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.headers.get('content-type'), 'application/jwt');
  assert.equal(answer.headers.get('cache-control'), 'no-store');
  const jwks = createRemoteJWKSet(new URL(`${rig.issuer}/jwks`));
  const { payload } = await jwtVerify(answer.text, jwks, {
    issuer: rig.issuer,
    audience: id === 'shop' ? RESOURCE : BILLING,
    typ: 'countersign-revocations+jwt',
  });
  const claims = payload as JsonObject;
  const { stands } = claims;
  return { claims, stands: readStanding(stands), held: isObject(stands) ? standingDigest(stands) : undefined };
}
const halt = (scope: string, target = ''): Promise<JsonObject> => operate(rig, '/operator/revocations', { scope, target, reason: 'drill' });
const undo = (scope: string, target = ''): Promise<JsonObject> =>
  operate(rig, '/operator/revocations/undo', { scope, target, reason: 'over' });

describe('/revocations', () => {
  it('answers a newcomer at once, with all that stands', async () => {
    const { claims, stands } = await ask({ nonce: 'n-1', wait: '25' });
    assert.deepEqual(stands, NOTHING);
    assert.deepEqual([claims['sub'], claims['from'], claims['nonce']], ['shop', 0, 'n-1']);
    assert.equal(Number(claims['exp']) - Number(claims['iat']), 60);
  });

  it('tells each halt to whom it concerns, and no longer once it is undone', async () => {
    const cases: readonly (readonly [string, string, Partial<Standing>, Partial<Standing>])[] = [
      ['agent', 'refund-bot', { agents: ['refund-bot'] }, { agents: ['refund-bot'] }],
      [
        'subject',
        'people:u_eve',
        { subjects: [subjectMark(RESOURCE, 'people:u_eve')] },
        { subjects: [subjectMark(BILLING, 'people:u_eve')] },
      ],
      ['tool', 'shop/create_refund', { tools: ['create_refund'] }, {}],
      ['server', 'shop', { all: true }, {}],
      ['server', 'billing', {}, { all: true }],
      ['all', '', { all: true }, { all: true }],
    ];
    for (const [scope, target, shop, other] of cases) {
      await halt(scope, target);
      assert.deepEqual((await ask()).stands, { ...NOTHING, ...shop }, scope);
      assert.deepEqual((await ask({}, 'billing', billing)).stands, { ...NOTHING, ...other }, scope);
      await undo(scope, target);
      assert.deepEqual((await ask()).stands, NOTHING, scope);
    }
  });

  it('names the agents of a halted owner', async () => {
    const owner = 'people:u_alice';
    await halt('owner', owner);
    const { stands } = await ask();
    assert.ok(stands && stands.agents.length > 0 && stands.agents.includes('refund-bot'));
    await undo('owner', owner);
  });

  it('tells a revoked token to its own audience alone', async () => {
    const token = tokenOf(await rig.ask());
    assert.equal((await revoke(rig, token)).status, 200);
    assert.equal((await revoke(rig, token)).status, 200);
    const { jti, txn, exp } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    assert.deepEqual((await ask()).stands?.tokens, [{ jti, txn, until: exp + 60 }]);
    assert.deepEqual((await ask({}, 'billing', billing)).stands, NOTHING);
  });

  it('a token revoked by its client and then by an operator is revoked, and no conflict', async () => {
    const token = tokenOf(await rig.ask());
    const { txn } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    assert.equal((await revoke(rig, token)).status, 200);
    await halt('action', txn);
    assert.equal((await ask()).stands?.tokens.filter((one) => one.txn === txn).length, 1);
  });

  it('wakes whoever waits within a second, and says nothing new to whoever is not concerned', async () => {
    const { held = '', claims } = await ask();
    const other = await ask({}, 'billing', billing);
    const waiting = ask({ held, after: String(claims['seq']), wait: '20' });
    const unconcerned = ask({ held: other.held ?? '', wait: '1' }, 'billing', billing);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const began = performance.now();
    await halt('tool', 'shop/create_refund');
    const { stands, claims: later } = await waiting;
    const took = performance.now() - began;
    console.log(`# a poll is answered ${Math.round(took)} ms after the halt was asked for`);
    assert.ok(took < 15_000, `${took} ms`);
    assert.deepEqual(stands?.tools, ['create_refund']);
    assert.ok(Number(later['seq']) > Number(claims['seq']) && later['from'] === claims['seq']);
    const silent = await unconcerned;
    assert.equal(silent.stands, undefined);
    await undo('tool', 'shop/create_refund');
  });

  it('an agent suspended in the bundle is news too', async () => {
    const { held = '' } = await ask();
    const waiting = ask({ held, wait: '20' });
    await editBundle(join(rig.folder, 'policies'), 'agents.yaml', /id: triage-bot\n/, 'id: triage-bot\n    suspended: true\n');
    await operate(rig, '/operator/bundle/reload', {});
    assert.deepEqual((await waiting).stands?.agents, ['triage-bot']);
  });

  it('never goes back: seq grows with the ledger, and not with a look', async () => {
    const seqs: number[] = [];
    for (let i = 0; i < 3; i++) seqs.push(Number((await ask()).claims['seq']));
    assert.deepEqual(new Set(seqs).size, 1);
    tokenOf(await rig.ask());
    assert.ok(Number((await ask()).claims['seq']) > (seqs[0] ?? 0));
  });

  it('is remembered for operators', async () => {
    const { verifiers } = await operate(rig, '/operator/verifiers');
    const [one, two] = verifiers as unknown as readonly JsonObject[];
    assert.deepEqual([one?.['server'], two?.['server']], ['billing', 'shop']);
    assert.ok(Math.abs(Number(two?.['last_seen']) - rig.now()) <= 2);
    assert.equal(two?.['resource'], RESOURCE);
    assert.equal(two?.['waiting'], 0);
  });
});

describe('/revocations, hostile', () => {
  const form = (): Promise<Record<string, string>> => clientForm(rig, 'shop', rig.server);
  const said = async (members: Record<string, string>): Promise<readonly unknown[]> => {
    const { status, body, text } = await post(rig, '/revocations', members);
    assert.doesNotMatch(text, /CANARY/);
    return [status, body['error']];
  };
  const cases: readonly (readonly [string, () => Promise<Record<string, string>>, number, string])[] = [
    ['nobody', async () => ({}), 401, 'invalid_client'],
    ['a stranger', () => clientForm(rig, 'CANARY', newKey()), 401, 'invalid_client'],
    ['another key', () => clientForm(rig, 'shop', newKey()), 401, 'invalid_client'],
    ['another server under this name', () => clientForm(rig, 'shop', billing), 401, 'invalid_client'],
    ['an agent', () => clientForm(rig, 'refund-bot'), 400, 'unauthorized_client'],
    ['a name beside another assertion', async () => ({ ...(await form()), client_id: 'billing' }), 401, 'invalid_client'],
    ['a secret', async () => ({ ...(await form()), client_secret: 'CANARY' }), 401, 'invalid_client'],
    ['after: far ahead', async () => ({ ...(await form()), after: '9007199254740991' }), 400, 'invalid_request'],
    ['after: a little ahead', async () => ({ ...(await form()), after: String((await rig.count()) + 50) }), 400, 'invalid_request'],
    ['after: below zero', async () => ({ ...(await form()), after: '-1' }), 400, 'invalid_request'],
    ['after: a fraction', async () => ({ ...(await form()), after: '1.5' }), 400, 'invalid_request'],
    ['after: another spelling', async () => ({ ...(await form()), after: '0x1' }), 400, 'invalid_request'],
    ['after: leading zero', async () => ({ ...(await form()), after: '01' }), 400, 'invalid_request'],
    ['after: beyond all numbers', async () => ({ ...(await form()), after: '99999999999999999999' }), 400, 'invalid_request'],
    ['wait: a day', async () => ({ ...(await form()), wait: '86400' }), 400, 'invalid_request'],
    ['wait: one too long', async () => ({ ...(await form()), wait: '26' }), 400, 'invalid_request'],
    ['wait: a word', async () => ({ ...(await form()), wait: 'CANARY' }), 400, 'invalid_request'],
    ['held: markup', async () => ({ ...(await form()), held: '<CANARY>' }), 400, 'invalid_request'],
    ['held: long', async () => ({ ...(await form()), held: 'a'.repeat(65) }), 400, 'invalid_request'],
    ['nonce: long', async () => ({ ...(await form()), nonce: 'a'.repeat(65) }), 400, 'invalid_request'],
    ['nonce: a line', async () => ({ ...(await form()), nonce: 'a\nCANARY' }), 400, 'invalid_request'],
  ];
  for (const [name, members, status, error] of cases)
    it(name, async () => {
      assert.deepEqual(await said(await members()), [status, error]);
    });
  it('an assertion that was used', async () => {
    const once = await form();
    assert.deepEqual(await said(once), [200, undefined]);
    assert.deepEqual(await said(once), [401, 'invalid_client']);
    assert.deepEqual((await post(rig, '/introspect', { ...once, token: 'x' })).status, 401);
  });
  it('GET, and a body of another type', async () => {
    assert.equal((await fetch(`${rig.issuer}/revocations`)).status, 405);
    const json = await fetch(`${rig.issuer}/revocations`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' });
    assert.equal(json.status, 415);
  });
  it('a feed is no access token, and no assertion', async () => {
    const { text } = await post(rig, '/revocations', await form());
    assert.deepEqual((await post(rig, '/introspect', { ...(await form()), token: text })).body, { active: false });
    assert.equal((await post(rig, '/revocations', { ...(await form()), client_assertion: text })).status, 401);
  });
});

it('an agent that left the bundle is told of while tokens of it may live', async () => {
  const own = await startRig();
  try {
    tokenOf(await own.ask());
    const told = async (): Promise<readonly string[] | undefined> => {
      const { text } = await post(own, '/revocations', await clientForm(own, 'shop', own.server));
      return readStanding(claimsOf(text)['stands'] as JsonObject)?.agents;
    };
    assert.deepEqual(await told(), []);
    await editBundle(join(own.folder, 'policies'), 'agents.yaml', /id: refund-bot\n/, 'id: refund-bot-2\n');
    await operate(own, '/operator/bundle/reload', {});
    assert.ok((await told())?.includes('refund-bot'));
    // A broker that starts with the smaller bundle reads it in the ledger, until the last token has ended.
    const nobody = { agents: { all: [], byClient: () => undefined } } as unknown as Bundle;
    const at = (seconds: number) => createDeparted({ store: own.app.store, world: { now: () => own.now() + seconds } })(nobody);
    assert.deepEqual([await at(0), await at(3600)], [['refund-bot'], []]);
  } finally {
    await own.stop();
  }
});

it('whoever waits is answered when the broker stops', async () => {
  const own = await startRig();
  const first = await post(own, '/revocations', await clientForm(own, 'shop', own.server));
  const { stands } = claimsOf(first.text);
  assert.ok(isObject(stands));
  const waiting = post(own, '/revocations', { ...(await clientForm(own, 'shop', own.server)), held: standingDigest(stands), wait: '25' });
  await new Promise((resolve) => setTimeout(resolve, 200));
  const began = performance.now();
  const [answer] = await Promise.all([waiting, own.stop()]);
  assert.deepEqual([answer.status, claimsOf(answer.text)['stands']], [200, undefined]);
  assert.ok(performance.now() - began < 15_000);
});
