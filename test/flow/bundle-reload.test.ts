/** The bundle changes on disk while requests run: swapped whole or not at all, and on any doubt the old one stays and says so. */
import assert from 'node:assert/strict';
import { cp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { removePerson } from '../../scripts/demo/bundle.ts';
import { writeManifest } from '../../scripts/policies.ts';
import { StoreFault } from '../../src/store/store.ts';
import type { JsonObject } from '../../src/wire/json.ts';
import { type Answer, type Asking, REFUND, type Rig, startRig } from '../support/rig.ts';
import { asItself, claimsOf, editBundle, editUnlisted, get, tokenOf } from './front-door.ts';

let rig: Rig;
let folder: string;
let good: string;
before(async () => {
  rig = await startRig();
  folder = join(rig.folder, 'policies');
  good = join(rig.folder, 'good');
  await cp(folder, good, { recursive: true });
});
after(() => rig.stop());
/** Back to the bundle of the start, as a person would: the folder is replaced, then the broker told. */
afterEach(async () => {
  await rm(folder, { recursive: true });
  await cp(good, folder, { recursive: true });
  assert.equal((await rig.app.reload()).ok, true);
});

const said = (answer: Answer): readonly unknown[] => [answer.status, answer.body['error'], answer.body['reason']];
const GRANTED = [200, undefined, undefined];
const ready = async (): Promise<JsonObject> => (await get(rig, '/readyz')).body;
const metric = async (name: string): Promise<number> =>
  Number(new RegExp(`^${name} (\\S+)$`, 'm').exec((await get(rig, '/metrics')).text)?.[1]);
const inForce = async (): Promise<string | undefined> =>
  (await rig.entries()).findLast((entry) => entry.kind === 'minted' || entry.kind === 'refused')?.bundle;
async function until(what: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 200; i++) {
    if (await what()) return;
    await pause(50);
  }
  assert.fail('it did not come about');
}

describe('a change', () => {
  it('is taken by itself once the folder is still, and recorded before it decides anything', async () => {
    await rig.ask();
    const before = await inForce();
    const seq = await rig.count();
    await editBundle(folder, 'refunds.cedar', '> 5000', '> 4000');
    await until(async () => (await rig.ask()).status === 403);
    const entries = await rig.entries(seq);
    const change = entries.findIndex((entry) => entry.kind === 'bundle');
    assert.equal(entries.filter((entry) => entry.kind === 'bundle').length, 1);
    assert.notEqual(entries[change]?.bundle, before);
    assert.match(String(entries[change]?.by), /^local:./);
    // Those that had taken the old bundle may still be written after it; nobody has the new one before.
    for (const entry of entries.slice(0, change)) assert.equal(entry.bundle, before);
    assert.equal(entries.at(-1)?.bundle, entries[change]?.bundle);
  });

  it('is atomic for requests under way: each is decided by one bundle, the one it names', async () => {
    const running = { on: true };
    const seq = await rig.count();
    const ask = async (): Promise<void> => {
      while (running.on) assert.ok([200, 403].includes((await rig.ask()).status));
    };
    const asking = [ask(), ask(), ask(), ask()];
    try {
      for (const limit of [4000, 5000, 4000, 5000, 4000]) {
        await editBundle(folder, 'refunds.cedar', /> \d000/, `> ${limit}`);
        assert.deepEqual([(await rig.app.reload()).ok, (await rig.app.reload()).changed], [true, false]);
        await pause(30);
      }
    } finally {
      running.on = false;
      await Promise.all(asking);
    }
    const entries = (await rig.entries(seq)).filter((entry) => entry.kind === 'minted' || entry.kind === 'refused');
    const kinds = new Map<string, Set<string>>();
    for (const { bundle = '', kind } of entries) kinds.set(bundle, (kinds.get(bundle) ?? new Set()).add(kind));
    assert.equal(kinds.size, 2);
    assert.deepEqual([...kinds.values()].map((set) => [...set].join()).sort(), ['minted', 'refused']);
  });

  it('that is no change is none: no second entry', async () => {
    const seq = await rig.count();
    await writeManifest(folder);
    const report = await rig.app.reload();
    assert.deepEqual([report.ok, report.changed, await rig.count()], [true, false, seq]);
  });
});

describe('on any doubt the old bundle stays', () => {
  const cut = async (file: string): Promise<void> => {
    const text = await readFile(join(folder, file), 'utf8');
    await truncate(join(folder, file), text.lastIndexOf('@id('));
  };
  const damages: readonly (readonly [string, () => Promise<unknown>, string])[] = [
    ['a policy file cut between two policies', () => cut('refunds.cedar'), 'refunds.cedar'],
    ['a file edited and not listed again', () => editUnlisted(folder, 'refunds.cedar', '5000', '5000000'), 'refunds.cedar'],
    [
      'a file more than the manifest lists',
      () => writeFile(join(folder, 'more.cedar'), 'permit (principal, action, resource);'),
      'more.cedar',
    ],
    ['a file gone', () => rm(join(folder, 'refunds.cedar')), 'refunds.cedar'],
    ['a manifest that is no JSON', () => writeFile(join(folder, 'manifest.json'), '{"files":'), 'manifest.json'],
    ['a manifest that climbs', () => editUnlisted(folder, 'manifest.json', '"refunds.cedar"', '"../refunds.cedar"'), 'manifest.json'],
    ['no manifest', () => rm(join(folder, 'manifest.json')), 'manifest.json'],
    ['a syntax error', () => editBundle(folder, 'refunds.cedar', 'forbid (', 'forbid ('.slice(0, 4)), 'refunds.cedar'],
    ['a misspelt argument', () => editBundle(folder, 'refunds.cedar', 'amount_minor > 5000', 'amount_mnior > 5000'), 'refunds.cedar'],
    ['YAML that is none', () => editBundle(folder, 'agents.yaml', 'agents:', 'agents: ]'), 'agents.yaml'],
    ['an agent without an owner', () => editBundle(folder, 'agents.yaml', /\n {4}owner: people:u_bob/, ''), 'agents.yaml'],
    [
      'a tool that a policy names and no server has',
      () => editBundle(folder, 'servers/shop.yaml', '  delete_customer:', '  drop_customer:'),
      'cedar',
    ],
    ['nothing there at all', () => rm(folder, { recursive: true }).then(() => cp(good, `${folder}.x`, { recursive: true })), '.'],
  ];
  for (const [name, damage, file] of damages) {
    it(name, async () => {
      await rig.ask();
      const [before, seq, lines] = [await inForce(), await rig.count(), rig.log.length];
      await damage();
      const report = await rig.app.reload();
      assert.equal(report.ok, false);
      assert.ok(
        report.problems.some((problem) => problem.file.includes(file)),
        JSON.stringify(report.problems),
      );
      assert.deepEqual(said(await rig.ask()), GRANTED, 'what was allowed is');
      assert.deepEqual(said(await rig.ask({ args: { ...REFUND, amount_minor: 6000 } })), [403, 'access_denied', 'refund_too_large']);
      assert.equal(await inForce(), before);

      const { status, checks } = await ready();
      const told = (checks as readonly JsonObject[]).find((check) => check['name'] === 'bundle');
      assert.deepEqual([status, told?.['state']], ['degraded', 'degraded']);
      assert.equal(await metric('countersign_bundle_degraded'), 1);
      const logged = rig.log.slice(lines).map((line) => JSON.parse(line) as JsonObject);
      assert.ok(logged.some((line) => line['msg'] === 'bundle' && String(line['file']).includes(file) && Number(line['level']) >= 40));
      assert.equal(
        (await rig.entries(seq)).some((entry) => entry.kind === 'bundle'),
        false,
      );
      await rm(`${folder}.x`, { recursive: true, force: true });
      await rm(folder, { recursive: true, force: true });
      await cp(good, folder, { recursive: true });
      assert.equal((await rig.app.reload()).ok, true);
      assert.deepEqual([(await ready())['status'], await metric('countersign_bundle_degraded')], ['ready', 0]);
    });
  }

  it('or where it cannot be recorded: in force is what the ledger says', async () => {
    await rig.ask();
    const before = await inForce();
    const { store } = rig.app;
    const commit = store.commit.bind(store);
    store.commit = () => Promise.reject(new StoreFault('disk'));
    await editBundle(folder, 'refunds.cedar', '> 5000', '> 4000');
    const report = await rig.app.reload();
    store.commit = commit;
    assert.deepEqual([report.ok, report.problems.length, (await ready())['status']], [false, 1, 'degraded']);
    assert.deepEqual([said(await rig.ask()), await inForce()], [GRANTED, before]);
    assert.equal((await rig.app.reload()).ok, true);
    assert.equal((await rig.entries()).at(-1)?.kind, 'bundle');
    assert.equal((await rig.ask()).status, 403);
  });
});

describe('from the next exchange on', () => {
  const ORDERS: Asking = { entry: { identifier: 'list_orders' }, args: {} };
  async function changed(change: Promise<unknown>): Promise<void> {
    await change;
    const report = await rig.app.reload();
    assert.equal(report.ok, true, JSON.stringify(report.problems));
  }

  it('an owner who has left stops every agent of theirs, and no other', async () => {
    const retry = { headers: { 'idempotency-key': 'owner-leaves' } };
    assert.deepEqual(said(await rig.ask(retry)), GRANTED);
    await changed(removePerson(folder, 'people:u_alice'));
    assert.deepEqual(said(await rig.ask()), [403, 'access_denied', 'owner_missing']);
    assert.deepEqual(said(await rig.ask(asItself(rig, 'nightly-report'))), [403, 'access_denied', 'owner_missing']);
    assert.deepEqual(said(await rig.ask(retry)), [403, 'access_denied', 'owner_missing'], 'no way round by asking again');
    const triage = { key: rig.agents['triage-bot'] ?? rig.agent, claims: { iss: 'triage-bot', sub: 'triage-bot' } };
    const own = await rig.ask({ ...ORDERS, assertion: triage, subject: { claims: { aud: 'triage-bot-app' } } });
    assert.deepEqual(said(own), GRANTED, 'Bob’s agent goes on');
  });

  it('an owner of a sub-agent who has left stops the chain', async () => {
    assert.deepEqual(said(await rig.ask({ ...ORDERS, actor: {} })), GRANTED);
    await changed(removePerson(folder, 'people:u_bob'));
    assert.deepEqual(said(await rig.ask({ ...ORDERS, actor: {} })), [403, 'access_denied', 'owner_missing']);
    assert.deepEqual(said(await rig.ask(ORDERS)), GRANTED, 'the client alone goes on');
  });

  it('a suspended agent is refused, as client and as sub-agent', async () => {
    await changed(editBundle(folder, 'agents.yaml', 'id: triage-bot\n', 'id: triage-bot\n    suspended: true\n'));
    assert.deepEqual(said(await rig.ask({ ...ORDERS, actor: {} })), [403, 'access_denied', 'suspended']);
    const triage = { key: rig.agents['triage-bot'] ?? rig.agent, claims: { iss: 'triage-bot', sub: 'triage-bot' } };
    assert.deepEqual(said(await rig.ask({ ...ORDERS, assertion: triage })), [403, 'access_denied', 'client_suspended']);
  });

  it('an agent that is gone is nobody', async () => {
    await changed(
      editBundle(folder, 'agents.yaml', /\n {2}- id: nightly-report[\s\S]*$/, '\n').then(() => dropPolicy('nightly-report-reads')),
    );
    assert.deepEqual(said(await rig.ask(asItself(rig, 'nightly-report'))), [401, 'invalid_client', undefined]);
  });
  async function dropPolicy(id: string): Promise<void> {
    await editBundle(folder, 'agents.cedar', new RegExp(`@id\\("${id}"\\)[\\s\\S]*?;\\n`), '');
  }

  it('a tool that is gone is no tool, an agent’s new key is its key, and a policy’s new life holds', async () => {
    await editUnlisted(folder, 'servers/shop.yaml', /\n {2}delete_customer:[\s\S]*$/, '\n');
    await editUnlisted(folder, 'agents.cedar', /,\n {4}shop::Action::"delete_customer"/, '');
    await editUnlisted(folder, 'people.cedar', /@id\("leads-delete-customers"\)[\s\S]*?;\n/, '');
    await editUnlisted(folder, 'people.cedar', '@ttl("60s")', '@ttl("20s")');
    const other = rig.agents['triage-bot']?.publicJwk ?? {};
    const mine = rig.agent.publicJwk;
    for (const name of ['x', 'y'] as const) await editUnlisted(folder, 'agents.yaml', String(mine[name]), String(other[name]));
    await editUnlisted(folder, 'agents.yaml', String(mine['kid']), String(other['kid']));
    await changed(writeManifest(folder));
    assert.deepEqual(said(await rig.ask()), [401, 'invalid_client', undefined], 'the old key');
    const assertion = { ...(rig.agents['triage-bot'] && { key: rig.agents['triage-bot'] }) };
    const gone = await rig.ask({ assertion, entry: { identifier: 'delete_customer' }, args: { customer_id: 'c' } });
    assert.deepEqual(said(gone), [400, 'invalid_authorization_details', undefined]);
    const granted = await rig.ask({ assertion });
    const { iat, exp } = claimsOf(tokenOf(granted));
    assert.equal(Number(exp) - Number(iat), 20);
  });
});
