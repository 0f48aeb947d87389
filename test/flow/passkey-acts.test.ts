/** A further passkey, one that goes, all of them lost: done as a person and an operator do it, told, and checked again from what was told. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { verifyRows } from '../../scripts/verify-ledger.ts';
import { proofChecker } from '../../scripts/verify-proofs.ts';
import { link, START } from '../../src/store/chain.ts';
import type { JsonObject } from '../../src/wire/json.ts';
import { softPasskey } from '../support/passkey.ts';
import { type Rig, startRig } from '../support/rig.ts';
import { operator } from './approving.ts';
import { holder, offerTo, register, registerMore, removePasskey } from './keyholders.ts';
import { logIn, type Visit } from './visiting.ts';

let rig: Rig;
before(async () => {
  rig = await startRig({ host: 'localhost', console: {} });
});
after(() => rig.stop());
const run = promisify(execFile);
const SCRIPT = new URL('../../scripts/approvals.ts', import.meta.url).pathname;
const labels = async (visit: Visit): Promise<readonly unknown[]> =>
  ((await visit.get('/operator/passkeys')).body['passkeys'] as readonly JsonObject[]).map(({ label }) => label).sort();
const told = async (): Promise<JsonObject> => {
  const entry = (await rig.entries()).findLast(({ kind }) => kind === 'passkey');
  return { by: entry?.by ?? '', detail: entry?.detail ?? '', ...entry?.context };
};

describe('a further passkey', () => {
  it('is signed for by one that they have, and then signs for others and for the first one’s going', async () => {
    const ana = await holder(rig, 'u_ana');
    const phone = softPasskey({ origin: rig.issuer });
    assert.equal((await ana.visit.post('/operator/passkeys/options')).body['proof'], 'passkey');
    const made = await registerMore(ana, phone, 'phone');
    assert.deepEqual([made.status, made.body['label']], [200, 'phone'], made.text);
    const proof = (await told())['passkey'] as JsonObject;
    assert.deepEqual([proof['credential'], proof['public_key']], [ana.passkey.id, ana.passkey.publicKey]);
    const ring = softPasskey({ origin: rig.issuer, counts: false });
    assert.equal((await registerMore({ ...ana, passkey: phone }, ring, 'spare')).status, 200);
    assert.equal((await removePasskey({ ...ana, passkey: ring }, ana.passkey)).status, 200);
    assert.deepEqual(await labels(ana.visit), ['phone', 'spare']);
  });
  it('the last one signs for its own going, and the next is a first one', async () => {
    const ben = await holder(rig, 'u_ben');
    assert.equal((await removePasskey(ben)).status, 200);
    assert.equal((await ben.visit.post('/operator/passkeys/options')).body['proof'], undefined);
    assert.equal((await register(ben.visit, softPasskey({ origin: rig.issuer }))).status, 200);
  });
  it('of 10 first ones at once one is the first', async () => {
    const visit = await logIn(rig, { sub: 'u_cleo', roles: [] });
    const offers = await Promise.all(Array.from({ length: 10 }, () => offerTo(visit)));
    const answers = await Promise.all(
      offers.map((offer) =>
        visit.post('/operator/passkeys', { label: 'first', response: softPasskey({ origin: rig.issuer }).register(offer) }),
      ),
    );
    assert.equal(answers.filter(({ status }) => status === 200).length, 1);
    for (const { status, body } of answers)
      if (status !== 200)
        assert.ok((status === 409 && body['detail'] === undefined) || body['detail'] === 'proof_needed', JSON.stringify(body));
    assert.deepEqual(await labels(visit), ['first']);
  });
});

describe('all passkeys lost', () => {
  it('an operator takes them away at the local socket, says why, and the next one is a first one', async () => {
    const dan = await holder(rig, 'u_dan');
    await registerMore(dan, softPasskey({ origin: rig.issuer }), 'spare');
    const args = [
      'reset-passkeys',
      'people:u_dan',
      '--socket',
      join(rig.folder, 'operator.sock'),
      '--reason',
      'called him back: both stolen',
    ];
    const { stdout } = await run(process.execPath, [SCRIPT, ...args]);
    assert.deepEqual(stdout.split('\n').sort(), ['', 'removed key ring', 'removed spare']);
    const { by, detail, step, person, reason, credentials } = await told();
    assert.deepEqual(
      [detail, step, person, reason],
      ['reset passkeys of people:u_dan', 'reset', 'people:u_dan', 'called him back: both stolen'],
    );
    assert.match(String(by), /^local:/);
    assert.equal((credentials as readonly string[]).length, 2);
    assert.deepEqual(await labels(dan.visit), []);
    const again = await dan.visit.post('/operator/passkeys', { label: 'old', response: dan.passkey.register(await offerTo(dan.visit)) });
    assert.equal(again.status, 409, 'what was taken away does not come back');
    assert.equal((await register(dan.visit, softPasskey({ origin: rig.issuer }))).status, 200);
    const twice = await run(process.execPath, [SCRIPT, ...args.with(1, 'people:u_nobody')]).catch((fault) => fault);
    assert.deepEqual([twice.code, /has no passkey here/.test(twice.stderr)], [1, true]);
  });
  it('nobody does so in the console, whatever their role', async () => {
    const visit = await logIn(rig, { sub: 'u_root', roles: ['operator', 'approver'] });
    assert.equal((await visit.post('/operator/passkeys/reset', { person: 'people:u_ana', reason: 'x' })).status, 404);
  });
  for (const [name, body] of [
    ['no reason', { person: 'people:u_ana' }],
    ['an empty one', { person: 'people:u_ana', reason: ' ' }],
    ['a word too many', { person: 'people:u_ana', reason: 'x', also: 1 }],
  ] as const)
    it(`not for ${name}`, async () => assert.equal((await operator(rig, 'POST', '/operator/passkeys/reset', body)).status, 400));
});

describe('verify-ledger and passkeys that come and go', () => {
  const CHALLENGE = 'a passkey signed something else than what this entry says';
  const UNPROVEN = 'a passkey came or went without a signature of one that its person had';
  /** All entries, those that `which` picks written otherwise, as whoever can write the whole ledger would. */
  async function verified(which: (context: JsonObject) => boolean, change: (context: JsonObject) => JsonObject) {
    const bodies = (await rig.app.store.scan({ term: 'entry', limit: 1_000 })).map((row) => row.value as JsonObject);
    let before = START.hash;
    const rows = bodies.map((entry, at) => {
      const context = entry['context'] as JsonObject | undefined;
      const body = JSON.stringify(
        entry['kind'] === 'passkey' && context && which(context) ? { ...entry, context: change(context) } : entry,
      );
      before = link(before, body);
      return { seq: at + 1, hash: before, body };
    });
    return verifyRows({ rows: (last) => rows.filter(({ seq }) => seq > last), torn: () => [] });
  }
  const further = ({ step, label }: JsonObject): boolean => step === 'register' && label === 'phone';
  const CASES: readonly (readonly [string, (context: JsonObject) => boolean, (context: JsonObject) => JsonObject, string | undefined])[] = [
    ['what happened', () => false, (context) => context, undefined],
    ['one that came without a signature', further, ({ passkey: _, ...rest }) => rest, UNPROVEN],
    ['one that went without', ({ step }) => step === 'remove', ({ passkey: _, ...rest }) => rest, UNPROVEN],
    ['another name', further, (context) => ({ ...context, label: 'laptop' }), CHALLENGE],
    ['another passkey', further, (context) => ({ ...context, credential: 'AAAA' }), CHALLENGE],
    ['one that went, and had come', ({ step }) => step === 'remove', (context) => ({ ...context, step: 'register' }), CHALLENGE],
    [
      'another end',
      further,
      (context) => ({ ...context, passkey: { ...(context['passkey'] as JsonObject), expires: 9_999_999_999 } }),
      CHALLENGE,
    ],
    ['a reset that did not happen', ({ step }) => step === 'reset', (context) => ({ ...context, step: 'look', credentials: [] }), UNPROVEN],
  ];
  for (const [name, which, change, why] of CASES)
    it(`names ${name}`, async () => {
      const { ok, bad } = await verified(which, change);
      assert.deepEqual([ok, bad?.why], [why === undefined, why]);
    });
  it('of a part it cannot know what came between, and says no more than it knows', async () => {
    const bodies = (await rig.app.store.scan({ term: 'entry', limit: 1_000 })).map((row) => row.value as JsonObject);
    const part = bodies.filter(({ kind, by }) => kind === 'passkey' && by === 'people:u_dan');
    const check = async (parted: boolean) => {
      const checker = proofChecker({ trimmed: true, parted });
      for (const [at, body] of part.entries()) checker.take(body, at + 1);
      return (await checker.check())?.why;
    };
    assert.deepEqual([await check(true), await check(false)], [undefined, UNPROVEN]);
  });
});
