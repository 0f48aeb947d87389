/** Shared signals pushed to /events (RFC 8935): whom they halt, and every way in which they are none. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import type { JsonObject } from '../../src/wire/json.ts';
import { jwt, newKey } from '../support/keys.ts';
import { type Answer, answerOf, type Rig, startRig } from '../support/rig.ts';
import { operate } from './front-door.ts';

const CAEP = 'https://schemas.openid.net/secevent/caep/event-type/';
const AUDIENCE = 'https://broker.example/events';
const key = newKey('set-1');
let issuer = '';
let isUp = true;
let rig: Rig;
const keys = createServer((_, response) => {
  if (isUp) response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: [key.publicJwk] }));
  else response.writeHead(500).end();
});
before(async () => {
  keys.listen(0, '127.0.0.1');
  await new Promise((resolve) => keys.once('listening', resolve));
  issuer = `http://127.0.0.1:${(keys.address() as AddressInfo).port}`;
  rig = await startRig({ config: { signals: [{ issuer, jwksUri: `${issuer}/jwks`, audience: AUDIENCE, for: 'people' }] } });
});
after(async () => {
  await rig.stop();
  keys.closeAllConnections();
  keys.close();
});

interface Telling {
  readonly claims?: object;
  readonly header?: object;
  readonly signer?: typeof key;
  readonly event?: string;
  readonly said?: object;
  readonly sub?: string;
}
/** A right one but for what is asked otherwise. */
async function set({ claims = {}, header = {}, signer = key, event = 'session-revoked', said = {}, sub = 'u_bob' }: Telling = {}) {
  const body = {
    iss: issuer,
    aud: AUDIENCE,
    iat: rig.now(),
    jti: randomUUID(),
    sub_id: { format: 'iss_sub', iss: rig.idp.issuer, sub },
    events: { [`${CAEP}${event}`]: { event_timestamp: rig.now(), ...said } },
    ...claims,
  };
  return jwt(signer, { alg: signer.alg, typ: 'secevent+jwt', kid: signer.kid, ...header }, body);
}
const push = async (body: string, type = 'application/secevent+jwt'): Promise<Answer> =>
  answerOf(await fetch(`${rig.issuer}/events`, { method: 'POST', headers: { 'content-type': type }, body }));
const halts = async (): Promise<readonly JsonObject[]> => (await operate(rig, '/operator/revocations'))['halts'] as readonly JsonObject[];
const undo = (target: string): Promise<JsonObject> =>
  operate(rig, '/operator/revocations/undo', { scope: 'subject', target, reason: 'looked into' });

describe('/events', () => {
  it('halts the subject until a person undoes it, and is heard once', async () => {
    assert.equal((await rig.ask()).status, 200);
    const told = await set();
    const answer = await push(told);
    assert.deepEqual([answer.status, answer.text], [202, '']);
    const refused = await rig.ask();
    assert.deepEqual([refused.status, refused.body['reason']], [403, 'suspended']);
    const [halt] = await halts();
    const { scope, target, by, reason } = halt ?? {};
    assert.deepEqual([scope, target, by, reason], ['subject', 'people:u_bob', `signal:${issuer}`, 'session-revoked']);
    const entry = (await rig.entries()).findLast((one) => one.kind === 'revoked');
    assert.deepEqual([entry?.request, entry?.by, entry?.subject], ['signal', `signal:${issuer}`, 'people:u_bob']);
    await undo('people:u_bob');
    assert.equal((await push(told)).status, 202);
    assert.deepEqual(await halts(), [], 'what was undone stays undone');
    assert.equal((await rig.ask()).status, 200);
  });

  it('hears of another thing about one who is halted', async () => {
    assert.equal((await push(await set())).status, 202);
    assert.equal((await push(await set({ event: 'credential-change', said: { change_type: 'revoke' } }))).status, 202);
    assert.equal((await halts()).length, 1);
    const last = (await rig.entries()).findLast((one) => one.kind === 'revoked');
    assert.equal(last?.detail, 'signal credential-change');
    await undo('people:u_bob');
  });

  const heard: readonly (readonly [string, Telling, boolean])[] = [
    ['credential-change', { event: 'credential-change', said: { change_type: 'delete', credential_type: 'password' } }, true],
    ['risk-level-change to high', { event: 'risk-level-change', said: { current_level: 'HIGH', principal: 'USER' } }, true],
    ['risk-level-change to low', { event: 'risk-level-change', said: { current_level: 'LOW', principal: 'USER' } }, false],
    ['an event of CAEP that is not heard', { event: 'device-compliance-change' }, false],
    ['the name of a member of every object', { event: 'constructor' }, false],
    [
      'a verification of the stream',
      { claims: { events: { 'https://schemas.openid.net/secevent/ssf/event-type/verification': {} } } },
      false,
    ],
  ];
  for (const [name, telling, isHalted] of heard)
    it(`${name}: ${isHalted ? 'halts' : 'is heard, and nothing follows'}`, async () => {
      assert.equal((await push(await set({ ...telling, sub: 'u_eve' }))).status, 202);
      assert.equal((await halts()).length, isHalted ? 1 : 0);
      if (isHalted) await undo('people:u_eve');
    });
});

describe('/events, hostile', () => {
  const DAY = 86_400;
  const other = newKey('set-1');
  const cases: readonly (readonly [string, () => Promise<string> | string, string])[] = [
    ['no token', () => 'CANARY', 'invalid_request'],
    ['empty', () => '.', 'invalid_request'],
    ['another issuer', () => set({ claims: { iss: 'https://evil.example' } }), 'invalid_issuer'],
    ['the issuer of people itself', () => set({ claims: { iss: rig.idp.issuer } }), 'invalid_issuer'],
    ['no issuer', () => set({ claims: { iss: undefined } }), 'invalid_issuer'],
    ['another key of that name', () => set({ signer: other }), 'invalid_key'],
    ['an unknown key', () => set({ header: { kid: 'k9' } }), 'invalid_key'],
    ['a key of its own', () => set({ signer: other, header: { jwk: other.publicJwk } }), 'invalid_request'],
    ['typ JWT', () => set({ header: { typ: 'JWT' } }), 'invalid_request'],
    ['typ of a logout token', () => set({ header: { typ: 'logout+jwt' } }), 'invalid_request'],
    ['no typ', () => set({ header: { typ: undefined } }), 'invalid_request'],
    ['another audience', () => set({ claims: { aud: 'https://other.example' } }), 'invalid_audience'],
    ['audiences', () => set({ claims: { aud: [AUDIENCE, 'https://other.example'] } }), 'invalid_audience'],
    ['no audience', () => set({ claims: { aud: undefined } }), 'invalid_audience'],
    ['no jti', () => set({ claims: { jti: undefined } }), 'invalid_request'],
    ['jti an object', () => set({ claims: { jti: {} } }), 'invalid_request'],
    ['jti without end', () => set({ claims: { jti: 'x'.repeat(256) } }), 'invalid_request'],
    ['no iat', () => set({ claims: { iat: undefined } }), 'invalid_request'],
    ['of tomorrow', () => set({ claims: { iat: rig.now() + DAY } }), 'invalid_request'],
    ['of the day before', () => set({ claims: { iat: rig.now() - DAY - 60 } }), 'invalid_request'],
    ['sub beside sub_id', () => set({ claims: { sub: 'u_bob' } }), 'invalid_request'],
    ['exp, as tokens have it', () => set({ claims: { exp: rig.now() + 60 } }), 'invalid_request'],
    ['no events', () => set({ claims: { events: undefined } }), 'invalid_request'],
    ['events that are none', () => set({ claims: { events: {} } }), 'invalid_request'],
    ['a list of events', () => set({ claims: { events: [`${CAEP}session-revoked`] } }), 'invalid_request'],
    [
      'two events',
      () => set({ claims: { events: { [`${CAEP}session-revoked`]: {}, [`${CAEP}credential-change`]: {} } } }),
      'invalid_request',
    ],
    ['an event that is no object', () => set({ claims: { events: { [`${CAEP}session-revoked`]: true } } }), 'invalid_request'],
    ['nobody', () => set({ claims: { sub_id: undefined } }), 'invalid_request'],
    ['an email', () => set({ claims: { sub_id: { format: 'email', email: 'CANARY@example.com' } } }), 'invalid_request'],
    ['another issuer’s person', () => set({ claims: { sub_id: { format: 'iss_sub', iss: issuer, sub: 'u_bob' } } }), 'invalid_request'],
    [
      'a person and more',
      () => set({ claims: { sub_id: { format: 'iss_sub', iss: rig.idp.issuer, sub: 'u_bob', tenant: 'x' } } }),
      'invalid_request',
    ],
    ['a name with white space', () => set({ sub: 'u_bob CANARY' }), 'invalid_request'],
    ['a name without end', () => set({ sub: 'x'.repeat(256) }), 'invalid_request'],
    ['no name', () => set({ sub: '' }), 'invalid_request'],
  ];
  for (const [name, token, err] of cases)
    it(name, async () => {
      const { status, body, text } = await push(await token());
      assert.deepEqual([status, body['err'], body['description'] !== undefined], [400, err, true]);
      assert.doesNotMatch(text, /CANARY/);
      assert.deepEqual(await halts(), []);
    });
  it('is read as what it is alone', async () => {
    for (const type of [
      'application/jwt',
      'application/json',
      'application/seceventtjwt',
      'application/x-www-form-urlencoded',
      'text/plain',
    ])
      assert.equal((await push(await set(), type)).status, 415, type);
    assert.equal((await fetch(`${rig.issuer}/events`)).status, 405);
    assert.deepEqual(await halts(), []);
  });
  it('nothing presented stands in the log', () => assert.doesNotMatch(rig.log.join('\n'), /CANARY/));
});

it('without transmitters there is no such place', async () => {
  const bare = await startRig();
  assert.equal((await fetch(`${bare.issuer}/events`, { method: 'POST' })).status, 404);
  await bare.stop();
});
it('a transmitter whose keys cannot be had is told to come again', async () => {
  isUp = false;
  const late = await startRig({ config: { signals: [{ issuer, jwksUri: `${issuer}/jwks`, audience: AUDIENCE, for: 'people' }] } });
  const body = await set({ claims: { sub_id: { format: 'iss_sub', iss: late.idp.issuer, sub: 'u_bob' } } });
  const ask = { method: 'POST', headers: { 'content-type': 'application/secevent+jwt' }, body };
  const answer = await fetch(`${late.issuer}/events`, ask);
  assert.deepEqual([answer.status, answer.headers.get('retry-after')], [503, '2']);
  isUp = true;
  await late.stop();
});
