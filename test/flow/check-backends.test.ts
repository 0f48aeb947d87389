/** What operators learn of their back ends, and do to a lease: over the socket alone, recorded, and with no secret but where they ask for one. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, it } from 'node:test';
import type { BackendsStatus, EndedLease, Tried } from '../../src/operate/backends.ts';
import { documentedClient } from '../support/documented.ts';
import { type FakeBackend, fakeArm, fakeBackend, fakeProgram, registerFake } from '../support/fake-backend.ts';
import { type Rig, startRig } from '../support/rig.ts';
import type { Program } from '../support/toy.ts';
import { told } from './front-door.ts';

let rig: Rig;
let program: Program;
let back: FakeBackend;
before(async () => {
  [program, back] = await Promise.all([fakeProgram(), fakeBackend()]);
  const environment = { VAULT_TOKEN: 'canary-token' };
  rig = await startRig({
    program,
    bundle: (folder) => registerFake(folder, 2),
    config: { backends: [fakeArm(back)], deadlineMs: 1_000 },
    environment,
  });
});
after(async () => {
  await rig?.stop();
  await back?.[Symbol.asyncDispose]();
  program?.remove();
});
beforeEach(() => {
  back.mood = 'good';
});

const socket = (): string => join(rig.folder, 'operator.sock');
const call = (method: 'GET' | 'POST', path: string, body?: object) => documentedClient(socket())(method, path, body);
const REFUND = { server: 'shop', tool: 'create_refund', kind: 'fake', arguments: { payment_id: 'p', amount_minor: 1, currency: 'EUR' } };
interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}
function check(...args: readonly string[]): Promise<Ran> {
  const line = ['--disable-warning=ExperimentalWarning', 'scripts/check-backends.ts', ...args, '--socket', socket()];
  const env = { ...process.env, HOME: join(rig.folder, 'home') };
  return new Promise((resolve) => {
    execFile(process.execPath, line, { env }, (fault, out, err) => resolve({ code: Number(fault?.code ?? 0), out, err }));
  });
}
/** What works is let in; what has ended is not. */
const USE = (): string =>
  `${process.execPath} -e "let t='';process.stdin.on('data',d=>t+=d).on('end',async()=>process.exit((await fetch('${back.address}/use',{method:'POST',body:t})).ok?0:1))"`;

it('says what is registered, how back ends do, and which secrets stand: names, never values', async () => {
  const { status, body } = await call('GET', '/operator/backends');
  assert.equal(status, 200);
  const { backends, registrations, environment } = body as BackendsStatus;
  assert.deepEqual(backends, [{ kind: 'fake', ready: true, detail: 'it answers', standing: false }]);
  assert.deepEqual(
    registrations.map(({ server, tool, kind, deliver, where, cap, standing }) => [server, tool, kind, deliver, where, cap, standing]),
    [
      ['shop', 'list_orders', 'fake', 'agent', 'fake/looks', 2, false],
      ['shop', 'create_refund', 'fake', 'tool-server', 'fake/refunds', 2, false],
    ],
  );
  assert.deepEqual(environment, ['VAULT_TOKEN']);
  assert.doesNotMatch(JSON.stringify(body), /canary/);
});

it('makes one for a trial, shows it only when asked, and ends it by hand; each step is an entry with a name', async () => {
  const seq = await rig.count();
  const silent = (await call('POST', '/operator/backends/mint', REFUND)).body as Tried;
  assert.ok(silent.lease !== undefined && !('credential' in silent) && silent.seconds <= 20);
  const shown = (await call('POST', '/operator/backends/mint', { ...REFUND, show: true })).body as Tried;
  const login = JSON.parse(Buffer.from(shown.credential ?? '', 'base64url').toString()) as { user: string; password: string };
  assert.ok(back.works(login));
  // They count as any other.
  assert.equal((await call('POST', '/operator/backends/mint', REFUND)).status, 503);
  for (const { lease } of [silent, shown]) {
    const ended = (await call('POST', `/operator/leases/${lease}/end`, {})).body as EndedLease;
    assert.deepEqual(ended, { state: 'gone', isFree: true });
  }
  assert.equal(back.works(login), false);
  const entries = await told(rig, seq, 'kind', 'request', 'outcome');
  const by = (await told(rig, seq, 'by')).flat();
  assert.deepEqual(entries.slice(0, 5), [
    ['intent', 'operator', undefined],
    ['minted', 'operator', undefined],
    ['intent', 'operator', undefined],
    ['minted', 'operator', undefined],
    ['refused', 'operator', undefined],
  ]);
  assert.deepEqual(
    entries
      .slice(5)
      .map(([kind]) => kind)
      .sort(),
    ['ended', 'ended', 'revoked', 'revoked'],
  );
  assert.ok(
    by.every((name) => String(name).startsWith('local:')),
    String(by),
  );
  assert.equal(JSON.stringify([await rig.entries(seq), rig.log]).includes(login.password), false);
});

it('refuses what it does not know', async () => {
  const table: readonly (readonly [string, object, number, string])[] = [
    ['/operator/backends/mint', { ...REFUND, tool: 'delete_customer' }, 404, 'not_found'],
    ['/operator/backends/mint', { ...REFUND, server: 'billing' }, 404, 'not_found'],
    ['/operator/backends/mint', { ...REFUND, kind: 'vault' }, 404, 'not_found'],
    ['/operator/backends/mint', { ...REFUND, arguments: { payment_id: 1 } }, 400, 'invalid_authorization_details'],
    ['/operator/backends/mint', { ...REFUND, arguments: 'all' }, 400, 'invalid_request'],
    ['/operator/backends/mint', { ...REFUND, show: 'yes' }, 400, 'invalid_request'],
    ['/operator/backends/mint', { ...REFUND, path: 'secret/data/all' }, 400, 'invalid_request'],
    ['/operator/backends/mint', { ...REFUND, material: { csr: 'x' } }, 400, 'invalid_request'],
    ['/operator/leases/lea_0/end', {}, 404, 'not_found'],
    ['/operator/leases/..%2f..%2fkeys/end', {}, 404, 'not_found'],
  ];
  const made = back.made.length;
  for (const [path, body, status, error] of table) {
    const answer = await call('POST', path, body);
    assert.deepEqual([answer.status, (answer.body as { error?: string }).error], [status, error], JSON.stringify([path, body]));
  }
  assert.equal(back.made.length, made);
});

it('check-backends: each registration made, used, ended and dead; the one secret that stands is named', async () => {
  const { code, out } = await check('--json', '--use', `fake=${USE()}`);
  const { ok, registrations, standing } = JSON.parse(out) as { ok: boolean; registrations: Record<string, unknown>[]; standing: string[] };
  assert.deepEqual([code, ok, standing], [1, false, ['VAULT_TOKEN: in the environment of the broker']]);
  assert.deepEqual(
    registrations.map(({ tool, minted, used, ended, ok: good }) => [tool, minted, used, ended, good]),
    ['list_orders', 'create_refund'].map((tool) => [tool, true, { alive: true, deadAfter: true }, 'revoked', true]),
  );
  assert.deepEqual(back.outstanding(), []);
  assert.doesNotMatch(out, /canary|password/);
});

it('check-backends, in words: what could not be done, and why', async () => {
  const { code, out } = await check('shop.create_refund');
  assert.equal(code, 1);
  assert.match(
    out,
    /^good {2}fake: it answers\n\ngood {2}shop\.create_refund: fake, fake\/refunds\n {6}made in \d+ ms, ended\n {6}not used: give --use/,
  );
  assert.doesNotMatch(out, /list_orders/);
  mkdirSync(join(rig.folder, 'home'), { recursive: true });
  writeFileSync(join(rig.folder, 'home', '.vault-token'), 'canary');
  assert.match((await check('shop.create_refund')).out, /Standing secrets:\n.*VAULT_TOKEN.*\n.*~\/\.vault-token/);

  const unusable = await check('--json', 'create_refund', 'shop.create_refund', '--use', 'fake=exit 1');
  assert.match(unusable.out, /the command could not use it/);
  back.mood = 'sealed';
  const sealed = await check('--json');
  const { registrations } = JSON.parse(sealed.out) as { registrations: { minted: boolean; ok: boolean; notes: string[] }[] };
  assert.deepEqual(
    registrations.map(({ minted, ok }) => [minted, ok]),
    [
      [false, false],
      [false, false],
    ],
  );
  assert.match(String(registrations[0]?.notes), /The broker cannot decide safely now/);
  assert.equal((await check('--use', 'nothing')).code, 3);
});

it('check-backends without a broker says so', async () => {
  const line = ['--disable-warning=ExperimentalWarning', 'scripts/check-backends.ts', '--json', '--socket', join(rig.folder, 'none.sock')];
  const { code, out } = await new Promise<Ran>((resolve) => {
    execFile(process.execPath, line, (fault, stdout, err) => resolve({ code: Number(fault?.code ?? 0), out: stdout, err }));
  });
  assert.deepEqual([code, JSON.parse(out)], [2, { ok: false, error: 'no_socket' }]);
});
