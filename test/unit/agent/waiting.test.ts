/** What an agent does while people decide: how often it asks, what it tells, what ends it. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { type Action, AgentError, createAgent, type Waiting } from '../../../src/agent/agent.ts';
import { clientKeys, type FakeBroker, fakeBroker, type Trick } from './broker.ts';

const resource = 'http://127.0.0.1:9090/mcp';
const refund = { resource, tool: 'create_refund', arguments: { amount_minor: 4250 } };
const CODE = 'c.1';
const pending = (interval = 5, expires = 900): Trick => ({
  answer: 400,
  body: { error: 'authorization_pending', deferral_code: CODE, interval, expires_in: expires, decision_id: 'exc_1' },
});
const slower = (more: object = {}): Trick => ({ answer: 400, body: { error: 'slow_down', ...more } });
const no = (error: string): Trick => ({ answer: 400, body: { error } });
const keys = clientKeys();

let broker: FakeBroker;
let waited: number[];
let told: Waiting[];
let ahead: number;
beforeEach(async () => {
  broker = await fakeBroker({ clientId: 'bot', jwks: keys.jwks, nonces: false });
  [waited, told, ahead] = [[], [], 0];
  broker.clock = () => Math.floor(Date.now() / 1_000) + ahead;
});
afterEach(() => broker.close());

/** A clock that jumps over each pause. */
function authorize(more: Partial<Action> = {}): Promise<unknown> {
  const agent = createAgent({
    issuer: broker.issuer,
    clientId: 'bot',
    key: keys.jwk,
    now: () => broker.clock(),
    wait: async (ms, signal) => {
      signal?.throwIfAborted();
      waited.push(ms / 1_000);
      ahead += ms / 1_000;
    },
    attempts: 2,
  });
  return agent.authorize({ ...refund, approval: 'wait', onWaiting: (waiting) => told.push(waiting), ...more });
}
const fails = (code: string, error?: string) => (fault: unknown) =>
  fault instanceof AgentError && fault.code === code && (error === undefined || fault.error === error);

describe('waiting for people', () => {
  /** Answers to the asking and to each poll; pauses, in seconds; how it ends. */
  const TABLE: readonly (readonly [string, readonly Trick[], readonly number[], string | undefined])[] = [
    ['a person says no', [pending(), pending(), no('access_denied')], [5, 5], 'ERR_DENIED'],
    ['too fast, without a word how slow', [pending(), slower(), slower(), no('access_denied')], [5, 10, 15], 'ERR_DENIED'],
    [
      'too fast, and told how slow',
      [pending(), slower({ deferral_code: CODE, interval: 30, expires_in: 9 }), no('access_denied')],
      [5, 30],
      'ERR_DENIED',
    ],
    ['never faster than before', [pending(7), pending(1), no('access_denied')], [7, 7], 'ERR_DENIED'],
    ['a broker that names no pause', [pending(0), no('access_denied')], [1], 'ERR_DENIED'],
    ['a broker that names a week', [pending(604_800), no('access_denied')], [120], 'ERR_DENIED'],
    ['nobody decides: the broker says so', [pending(5, 8), pending(5, 3), no('expired_token')], [5, 4], 'ERR_APPROVAL_EXPIRED'],
    ['nobody decides, and the broker does not say so', [pending(5, 5), pending(5, 5), pending(5, 5)], [5, 1], 'ERR_APPROVAL_EXPIRED'],
    ['a code that is good no more', [pending(), no('invalid_grant')], [5], 'ERR_LAPSED'],
    ['a broker that is away meanwhile', [pending(), 'reset', 'reset', no('access_denied')], [5, 0.2, 5], 'ERR_DENIED'],
    ['halted meanwhile', [pending(), { answer: 403, body: { error: 'access_denied', reason: 'suspended' } }], [5], 'ERR_DENIED'],
  ];
  for (const [name, tricks, pauses, code] of TABLE)
    it(name, async () => {
      broker.tricks.push(...tricks);
      await assert.rejects(authorize(), fails(code ?? ''));
      assert.deepEqual(waited, pauses);
      assert.deepEqual(broker.tricks, []);
    });

  it('tells when it begins and after each poll, and never the code', async () => {
    broker.tricks.push(pending(), pending(), no('access_denied'));
    await assert.rejects(authorize());
    const base = { resource, tool: 'create_refund', decisionId: 'exc_1' };
    assert.deepEqual(told, [
      { ...base, waitedSeconds: 0, secondsLeft: 900, polls: 0 },
      { ...base, waitedSeconds: 5, secondsLeft: 895, polls: 1 },
    ]);
    assert.equal(JSON.stringify(told).includes(CODE), false);
  });

  it('is cancelled at once, with the signal’s own reason', async () => {
    broker.tricks.push(pending());
    const abort = new AbortController();
    const reason = new Error('enough');
    await assert.rejects(authorize({ signal: abort.signal, onWaiting: () => abort.abort(reason) }), (fault) => fault === reason);
    assert.deepEqual(waited, []);
  });

  it('opts in only when told to wait', async () => {
    for (const [more, mode] of [
      [{ approval: 'refuse' }, null],
      [{ approval: 'wait' }, 'deferred'],
    ] as const) {
      await authorize(more);
      assert.equal(broker.seen.at(-1)?.form.get('completion_mode'), mode);
    }
    broker.tricks.push(pending());
    await assert.rejects(authorize({ approval: 'refuse', deferred: true }), fails('ERR_APPROVAL_PENDING', 'authorization_pending'));
    assert.deepEqual(waited, []);
  });
});
