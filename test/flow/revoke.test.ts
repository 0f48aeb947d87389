/** The kill switch: halted by name, effective at once, told as a table, undone as an act of its own. Through the operator's socket and its script. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import type { operatorClient } from '../../scripts/operator-client.ts';
import type { Outstanding, RevokeOutcome } from '../../src/operate/revoke.ts';
import { documentedClient } from '../support/documented.ts';
import { type Answer, type Rig, startRig } from '../support/rig.ts';
import { claimsOf, introspect, tokenOf } from './front-door.ts';

let rig: Rig;
let call: ReturnType<typeof operatorClient>;
before(async () => {
  rig = await startRig();
  call = documentedClient(join(rig.folder, 'operator.sock'));
});
after(() => rig.stop());

const said = ({ status, body }: Answer): readonly unknown[] => [status, body['reason'] ?? body['error']];
const halt = (scope: string, target: string, more: object = {}) =>
  call('POST', '/operator/revocations', { scope, target, reason: 'ticket 12', ...more });
const undo = (scope: string, target: string) => call('POST', '/operator/revocations/undo', { scope, target, reason: 'all clear' });
const rows = (body: unknown): readonly Outstanding[] => (body as RevokeOutcome).outstanding;
const active = async (token: string): Promise<unknown> => (await introspect(rig, token)).body['active'];

const SCOPES = [
  ['all', ''],
  ['agent', 'refund-bot'],
  ['owner', 'people:u_alice'],
  ['subject', 'people:u_bob'],
  ['server', 'shop'],
  ['tool', 'shop/create_refund'],
] as const;
describe('a halt', () => {
  for (const [scope, target] of SCOPES) {
    it(`of ${scope} ${target}: no grant more, tokens inactive for whoever asks, all of it told; then undone`, async () => {
      const token = tokenOf(await rig.ask());
      const { txn, exp } = claimsOf(token);
      assert.equal(await active(token), true);
      const seq = await rig.count();
      const { status, body } = await halt(scope, target);
      assert.equal(status, 200, JSON.stringify(body));
      const row = rows(body).find((one) => one.txn === txn);
      assert.deepEqual(
        [row?.state, row?.kind, row?.client, row?.subject, row?.tool, row?.exp],
        ['dies', 'jwt', 'refund-bot', 'people:u_bob', 'create_refund', exp],
      );
      const refused = await rig.ask();
      assert.deepEqual(said(refused), [403, 'suspended']);
      assert.equal(await active(token), false);
      const [entry] = await rig.entries(seq);
      assert.deepEqual(
        [entry?.kind, entry?.request, entry?.detail, entry?.context],
        ['revoked', 'operator', `revoke ${scope}${target && ` ${target}`}`, { step: 'revoke', scope, target, reason: 'ticket 12' }],
      );
      assert.match(entry?.by ?? '', /^local:/);
      assert.deepEqual(
        ((await call('GET', '/operator/revocations')).body as { halts: readonly object[] }).halts.map((one) => ({ ...one, by: '', at: 0 })),
        [{ scope, target, by: '', at: 0, reason: 'ticket 12' }],
      );
      assert.equal((await halt(scope, target)).status, 409);

      const lifted = await undo(scope, target);
      assert.equal(lifted.status, 200);
      assert.deepEqual((await call('GET', '/operator/revocations')).body, { halts: [] });
      assert.equal((await rig.ask()).status, 200);
      assert.equal((await undo(scope, target)).status, 404);
      const last = (await rig.entries(seq)).filter(({ kind }) => kind === 'revoked').map(({ detail }) => detail?.split(' ')[0]);
      assert.deepEqual(last, ['revoke', 'undo']);
      // And again: an undone halt leaves nothing in the way.
      assert.equal((await halt(scope, target)).status, 200);
      assert.equal((await undo(scope, target)).status, 200);
    });
  }

  it('of another name stops nobody else', async () => {
    for (const [scope, target] of [
      ['agent', 'triage-bot'],
      ['subject', 'people:u_carol'],
      ['tool', 'shop/list_orders'],
    ] as const) {
      const { status, body } = await halt(scope, target);
      assert.deepEqual([status, rows(body)], [200, []], scope);
      assert.equal((await rig.ask()).status, 200);
      assert.equal((await undo(scope, target)).status, 200);
    }
  });

  it('of one action ends its token for whoever asks, and nothing else', async () => {
    const [one, other] = [tokenOf(await rig.ask()), tokenOf(await rig.ask())];
    const { txn } = claimsOf(one);
    const { body } = await halt('action', String(txn));
    assert.deepEqual(
      rows(body).map((row) => [row.txn, row.state]),
      [[txn, 'dies']],
    );
    assert.deepEqual([await active(one), await active(other)], [false, true]);
    assert.equal((await rig.ask()).status, 200);
  });

  it('rehearsed changes nothing', async () => {
    const seq = await rig.count();
    const { status, body } = await halt('all', '', { dry_run: true });
    assert.deepEqual([status, (body as RevokeOutcome).dry_run, rows(body).length > 0], [200, true, true]);
    assert.equal(await rig.count(), seq);
    assert.equal((await rig.ask()).status, 200);
  });

  const WRONG: readonly (readonly [string, object, number])[] = [
    ['a misspelt agent', { scope: 'agent', target: 'refund-bott', reason: 'x' }, 404],
    ['a server that is not there', { scope: 'server', target: 'shp', reason: 'x' }, 404],
    ['a tool without its server', { scope: 'tool', target: 'create_refund', reason: 'x' }, 404],
    ['a tool of three parts', { scope: 'tool', target: 'shop/create_refund/x', reason: 'x' }, 404],
    ['an owner of nobody', { scope: 'owner', target: 'people:u_nobody', reason: 'x' }, 404],
    ['a subject without an issuer', { scope: 'subject', target: 'bob', reason: 'x' }, 404],
    ['everything but something', { scope: 'all', target: 'shop', reason: 'x' }, 404],
    ['an action of no ledger', { scope: 'action', target: 'txn_0000', reason: 'x' }, 404],
    ['no reason', { scope: 'all', target: '' }, 400],
    ['an empty reason', { scope: 'all', target: '', reason: ' ' }, 400],
    ['a scope there is not', { scope: 'everyone', target: '', reason: 'x' }, 400],
    ['a rehearsal that is misspelt', { scope: 'all', target: '', reason: 'x', dryrun: true }, 400],
    ['a rehearsal that is no boolean', { scope: 'all', target: '', reason: 'x', dry_run: 'yes' }, 400],
  ];
  for (const [what, body, status] of WRONG) {
    it(`is refused: ${what}`, async () => {
      assert.equal((await call('POST', '/operator/revocations', body)).status, status);
      assert.equal((await rig.ask()).status, 200);
    });
  }
});

describe('npm run revoke', () => {
  const run = async (...args: readonly string[]): Promise<readonly [number, string, string]> => {
    const child = promisify(execFile)(process.execPath, ['scripts/revoke.ts', '--socket', join(rig.folder, 'operator.sock'), ...args]);
    return child.then(
      ({ stdout, stderr }) => [0, stdout, stderr],
      (fault: { code: number; stdout: string; stderr: string }) => [fault.code, fault.stdout, fault.stderr],
    );
  };
  it('halts, shows what is out, lists and undoes', async () => {
    const { txn } = claimsOf(tokenOf(await rig.ask()));
    const [code, out] = await run('--agent', 'refund-bot', '--reason', 'key leaked');
    assert.equal(code, 4);
    assert.match(out, /^Halted: agent refund-bot, from \S+Z\.$/m);
    assert.match(out, new RegExp(`^  cannot be revoked — dies at \\S+Z +jwt +refund-bot +people:u_bob +create_refund +${txn}$`, 'm'));
    assert.match((await run('--list'))[1], /agent refund-bot {2}by local:\S+: key leaked/);
    assert.deepEqual((await run('--agent', 'refund-bot', '--reason', 'again')).slice(0, 2), [1, '']);
    assert.deepEqual(await run('--agent', 'refund-bot', '--reason', 'rotated', '--undo'), [
      0,
      'agent refund-bot is no longer halted.\n',
      '',
    ]);
    assert.deepEqual(await run('--list'), [0, 'Nothing is halted.\n', '']);
    const [, json] = await run('--agent', 'refund-bot', '--reason', 'x', '--dry-run', '--json');
    assert.equal((JSON.parse(json) as RevokeOutcome).dry_run, true);
  });
  it('says what to do where it cannot', async () => {
    assert.match(
      (await run('--agent', 'refund-bto', '--reason', 'x')).join(' '),
      /^1 .*There is no agent refund-bto here\. Nothing was halted/,
    );
    assert.match((await run('--all')).join(' '), /^3 .*Say why/);
    assert.match((await run('--reason', 'x')).join(' '), /^3 .*Name one/);
    assert.match((await run('--all', '--agent', 'refund-bot', '--reason', 'x')).join(' '), /^3 .*Name one/);
  });
});
