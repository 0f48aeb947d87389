/** The bundle changes while an exchange is under way: it is judged by the bundle it began with, whole, and the next one by the next. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { writeManifest } from '../../scripts/policies.ts';
import { introspect, tokenOf } from '../flow/front-door.ts';
import { newKey } from '../support/keys.ts';
import type { Answer, Asking } from '../support/rig.ts';
import { exchangesAfter, type Ground, openGround, settled } from './oracle.ts';

/** An issuer that answers when it is told to: an exchange that needs its keys is in flight as long. */
const key = newKey('slow-1');
let asked: () => void = () => {};
let release: (() => void) | undefined;
let hold = false;
let issuer = '';
let idp: Server;
let ground: Ground;
before(async () => {
  idp = createServer((request, response) => {
    const answer = (body: object) =>
      response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' }).end(JSON.stringify(body));
    if (request.url?.startsWith('/.well-known')) return answer({ issuer, jwks_uri: `${issuer}/jwks` });
    const go = () => answer({ keys: [key.publicJwk] });
    if (!hold) return go();
    release = go;
    return asked();
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => idp.once('listening', resolve));
  issuer = `http://127.0.0.1:${(idp.address() as AddressInfo).port}`;
});
after(async () => {
  await new Promise((resolve) => {
    idp.close(resolve);
    idp.closeAllConnections();
  });
});
const open = () => {
  const clients = { 'refund-bot': 'refund-bot-app' };
  const slow = { use: 'oidc' as const, id: 'people', issuer, vouches: ['person' as const], clients, attributes: { groups: 'groups' } };
  return openGround({ config: { issuers: [slow] } }, [new URL(issuer).host]);
};
beforeEach(async () => {
  ground = await open();
});
afterEach(() => ground.stop());
const BOB: Asking = { subject: { key, header: { kid: key.kid }, claims: {} } };
const bob = (): Asking => ({ subject: { ...BOB.subject, claims: { iss: issuer } } });

type Edit = readonly [file: string, change: (text: string) => string];
async function reload(...edits: readonly Edit[]): Promise<string> {
  const folder = join(ground.rig.folder, 'policies');
  for (const [file, change] of edits) {
    const text = await readFile(join(folder, file), 'utf8');
    const changed = change(text);
    assert.notEqual(changed, text);
    await writeFile(join(folder, file), changed);
  }
  await writeManifest(folder);
  const report = await ground.rig.app.reload();
  assert.deepEqual([report.ok, report.changed, report.problems], [true, true, []]);
  return report.hash;
}
/** One exchange that has begun and waits for the keys of its subject; the bundle changes; then it goes on. */
async function meanwhile(change: () => Promise<string>): Promise<{ answer: Answer; bundle: string | undefined; old: string; now: string }> {
  const { rig } = ground;
  const old = (await rig.app.reload()).hash;
  const from = await rig.count();
  hold = true;
  const reached = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const pending = rig.ask(bob());
  await reached;
  const now = await change();
  hold = false;
  release?.();
  const answer = await pending;
  const [entry] = await exchangesAfter(rig, from);
  return { answer, bundle: entry?.bundle, old, now };
}
const noRefunds: Edit[] = [
  ['servers/shop.yaml', (text) => text.replace(/\n {2}create_refund:[\s\S]*?(?=\n {2}delete_customer:)/, '')],
  ['agents.cedar', (text) => text.replace('    shop::Action::"create_refund",\n', '')],
  ['people.cedar', (text) => text.replaceAll('"create_refund"', '"list_orders"')],
  [
    'refunds.cedar',
    (text) =>
      text.replaceAll('"create_refund"', '"list_orders"').replace('context.input.amount_minor > 5000', 'context.input.limit > 5000'),
  ],
];
const suspended: Edit = ['agents.yaml', (text) => text.replace('id: refund-bot\n', 'id: refund-bot\n    suspended: true\n')];

describe('while an exchange waits for its issuer', () => {
  test('1 its tool is removed: granted by the bundle it began with, and the next is refused', async () => {
    const { answer, bundle, old, now } = await meanwhile(() => reload(...noRefunds));
    assert.notEqual(old, now);
    assert.deepEqual([answer.status, bundle], [200, old]);
    const next = await ground.rig.ask(bob());
    assert.deepEqual([next.status, next.body['error']], [400, 'invalid_authorization_details']);
    assert.equal((await ground.rig.entries((await ground.rig.count()) - 1))[0]?.reason, 'tool_unknown');
    await settled(ground);
  });
  test('2 its agent is suspended: what it still gets is inactive, and the next is refused', async () => {
    const { answer, bundle, old } = await meanwhile(() => reload(suspended));
    assert.deepEqual([answer.status, bundle], [200, old]);
    assert.deepEqual((await introspect(ground.rig, tokenOf(answer))).body, { active: false });
    const next = await ground.rig.ask(bob());
    assert.deepEqual([next.status, next.body['reason']], [403, 'client_suspended']);
    await settled(ground);
  });
  test('3 its agent is halted: refused, since the commit itself looks', async () => {
    const { rig } = ground;
    const { answer } = await meanwhile(async () => {
      const halt = { key: 'halt/agent/refund-bot', version: 0, value: 1, else: 'taken' } as const;
      assert.equal(await rig.app.store.commit({ at: rig.now(), notAfter: rig.now() + 5, claims: [halt], entries: [] }), undefined);
      return '';
    });
    assert.deepEqual([answer.status, answer.body['reason']], [403, 'suspended']);
    await settled(ground);
  });
});

describe('while exchanges go on', () => {
  test('1 the bundle goes back and forth: each answer is of one bundle, whole', async () => {
    const { rig } = ground;
    const folder = join(rig.folder, 'policies');
    const file = join(folder, 'refunds.cedar');
    const [high, low] = [await readFile(file, 'utf8'), (await readFile(file, 'utf8')).replace('> 5000', '> 1000')];
    const hashes = new Map([[(await rig.app.reload()).hash, 200]]);
    let busy = true;
    const from = await rig.count();
    const statuses: number[] = [];
    const clients = [0, 1, 2, 3].map(async () => {
      while (busy) statuses.push((await rig.ask(bob())).status);
    });
    for (let round = 0; round < 6; round++) {
      await writeFile(file, round % 2 ? high : low);
      // Listed a moment later: whatever is read in between is refused.
      await new Promise((resolve) => setTimeout(resolve, 20));
      await writeManifest(folder);
      const report = await rig.app.reload();
      if (report.ok) hashes.set(report.hash, round % 2 ? 200 : 403);
    }
    busy = false;
    await Promise.all(clients);
    assert.equal(hashes.size, 2);
    assert.deepEqual([...new Set(statuses)].sort(), [200, 403], '4250 is one bundle’s yes and the other’s no');
    for (const entry of await exchangesAfter(rig, from)) {
      const expected = hashes.get(String(entry.bundle));
      assert.equal(entry.kind === 'minted' ? 200 : 403, expected, 'the bundle that is named has decided');
    }
    await settled(ground);
  });
});
