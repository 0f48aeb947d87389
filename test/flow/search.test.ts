/** The ledger by name and time at a real broker: what is found, how it goes, what is taken away. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import type { EntriesPage } from '../../src/operate/entries.ts';
import type { Overview } from '../../src/operate/overview.ts';
import type { Usage } from '../../src/operate/search.ts';
import { link } from '../../src/store/chain.ts';
import { canonical } from '../../src/wire/digest.ts';
import type { JsonObject } from '../../src/wire/json.ts';
import { documentedClient } from '../support/documented.ts';
import { REFUND, RESOURCE, type Rig, startRig } from '../support/rig.ts';
import { claimsOf, tokenOf } from './front-door.ts';
import { stream } from './streams.ts';

const SECRET = 'pay_of_somebody';
let rig: Rig;
let socket: string;
let txn: string;
before(async () => {
  rig = await startRig();
  socket = join(rig.folder, 'operator.sock');
  for (let i = 0; i < 3; i++) txn = String(claimsOf(tokenOf(await rig.ask({ args: { ...REFUND, payment_id: SECRET } })))['txn']);
  await rig.ask({ args: { ...REFUND, amount_minor: 9_000 } });
  await rig.ask({ subject: { claims: { sub: 'u_carol', groups: [] } } });
});
after(() => rig.stop());

const get = (path: string) => documentedClient(socket)('GET', path);
async function found(query: string): Promise<EntriesPage> {
  const { status, body } = await get(`/operator/entries?${query}`);
  assert.equal(status, 200, query);
  return body as EntriesPage;
}
const seqs = async (query: string): Promise<readonly number[]> => (await found(query)).entries.map(({ seq }) => seq);
/** By looking at each. */
async function stands(is: (entry: Awaited<ReturnType<Rig['entries']>>[number]) => boolean): Promise<readonly number[]> {
  return (await rig.entries()).flatMap((entry, i) => (is(entry) ? [i + 1] : [])).reverse();
}
describe('entries', () => {
  it('are found by every name that they have, newest first', async () => {
    const questions: Readonly<Record<string, Parameters<typeof stands>[0]>> = {
      'agent=refund-bot': (e) => e.client === 'refund-bot',
      'subject=people:u_carol': (e) => e.subject === 'people:u_carol',
      'owner=people:u_alice': (e) => e.owner === 'people:u_alice',
      'tool=create_refund&outcome=minted': (e) => e.tool === 'create_refund' && e.kind === 'minted',
      'server=shop': (e) => e.resource === RESOURCE,
      [`server=${encodeURIComponent(RESOURCE)}&outcome=refused`]: (e) => e.resource === RESOURCE && e.kind === 'refused',
      'reason=refund_too_large': (e) => e.code === 'refund_too_large',
      'reason=policy_denied': (e) => e.reason === 'policy_denied',
      'policy=refund-limit': (e) => e.policies?.includes('refund-limit') === true,
      [`by=local:${userInfo().username}`]: (e) => e.by !== undefined,
      'q=CAROL': (e) => e.subject === 'people:u_carol',
      [`id=${'TXN'}`]: (e) => e.txn === txn,
      'agent=nobody': () => false,
      'from=0&to=1': () => false,
      '': () => true,
    };
    for (const [query, is] of Object.entries(questions)) {
      const expected = await stands(is);
      assert.deepEqual(await seqs(query.replace('TXN', txn)), expected, query);
      if (!/nobody|to=1/.test(query)) assert.ok(expected.length > 0, query);
    }
  });

  it('are told as they stand in the ledger, page by page', async () => {
    const all = await found('limit=200');
    const rows = await rig.app.store.scan({ term: 'entry', limit: 200, newestFirst: true });
    assert.deepEqual(
      all.entries.map(({ hash }) => hash),
      rows.map(({ hash }) => hash),
    );
    const seen: number[] = [];
    for (let at = ''; ; ) {
      const page = await found(`agent=refund-bot&limit=2${at}`);
      seen.push(...page.entries.map(({ seq }) => seq));
      if (page.before === undefined) break;
      at = `&before=${page.before}`;
    }
    assert.deepEqual(seen, await stands((e) => e.client === 'refund-bot'));
    assert.equal(JSON.stringify(all).includes(SECRET), false, 'no argument that is not recorded');
  });

  it('are asked for exactly, or not at all', async () => {
    const seq = await rig.count();
    const long = 'x'.repeat(513);
    for (const query of [
      'agnet=refund-bot',
      'agent=',
      'agent=a&agent=b',
      'agent[]=a',
      `agent=${long}`,
      'limit=0',
      'limit=201',
      'limit=1e2',
      'limit=-1',
      'limit=%D9%A1',
      'before=x',
      'before=1.5',
      'before=0x10',
      'from=yesterday',
      'to=-1',
      'from=9&to=1',
      'from=99999999999999999999',
      '__proto__=1',
      'agent=%ED%A0%80&limit=x',
      'limit=50&limit=50',
    ]) {
      assert.equal((await get(`/operator/entries?${query}`)).status, 400, query);
      if (!/limit|before/.test(query)) assert.equal((await get(`/operator/export?${query}`)).status, 400, `export ${query}`);
    }
    for (const path of [
      'usage',
      'usage?agent=',
      'usage?agent=a&x=1',
      'overview?minutes=0',
      'overview?minutes=99999',
      'overview?x=1',
      'live?x=1',
      'live?after=x',
    ])
      assert.equal((await get(`/operator/${path}`)).status, 400, path);
    assert.equal((await stream(socket, '/operator/live', 500, { 'last-event-id': '1; drop' })).status, 400);
    assert.equal(await rig.count(), seq, 'nothing was begun');
    // Whatever SQL or a pattern would make of it, it is a name.
    for (const odd of ["' OR 1=1 --", '%', '_', '*', '\u0000', '\u202e', '"', "a'b"])
      assert.deepEqual(await seqs(`agent=${encodeURIComponent(odd)}`), [], odd);
  });

  it('are found by the script, and its words obey no agent', async () => {
    const script = new URL('../../scripts/search.ts', import.meta.url).pathname;
    const run = async (...args: string[]) => (await promisify(execFile)(process.execPath, [script, ...args, '--socket', socket])).stdout;
    const { entries } = JSON.parse(await run('--agent', 'refund-bot', '--since', '1h', '--json')) as EntriesPage;
    assert.deepEqual(
      entries.map(({ seq }) => seq),
      await stands((e) => e.client === 'refund-bot'),
    );
    const text = await run('--outcome', 'refused', '--tool', 'create_refund');
    assert.match(text, /refused: refund_too_large {2,}refund-bot {2,}for people:u_bob/);
    await assert.rejects(run('--since', 'tea-time'), { code: 2 });
    await assert.rejects(run('--agent', 'nobody'), { code: 1 });
  });
});

describe('the index', () => {
  it('stands beside the ledger, its owner’s alone, and goes where the configuration says', async () => {
    assert.equal(statSync(`${join(rig.folder, 'data', 'countersign.db')}.search`).mode & 0o777, 0o600);
    const other = await startRig({ console: { index: '/dev/null/nowhere' } });
    try {
      await other.ask();
      const ask = documentedClient(join(other.folder, 'operator.sock'));
      const { status, body } = await ask('GET', '/operator/entries?agent=refund-bot');
      assert.deepEqual([status, (body as EntriesPage).entries.length], [200, 1], 'where no file can be, it is in memory');
      assert.ok(other.log.some((line) => line.includes('index of the ledger is made again')));
    } finally {
      await other.stop();
    }
  });
});

describe('how it goes', () => {
  it('is counted from what was committed: outcomes over time, refusals with what helps', async () => {
    await rig.ask({ nonce: null });
    const { body } = await get('/operator/overview?minutes=5');
    const { total, slices, refusals, agents, latency, waiting, indexed } = body as Overview;
    const entries = await rig.entries();
    const of = (kind: string): number => entries.filter((e) => e.kind === kind).length;
    // Whoever is asked for a nonce is refused nothing.
    const asides = entries.filter((e) => e.kind === 'refused' && e.reason === 'nonce_needed').length;
    assert.ok(asides > 0);
    assert.deepEqual([total.granted, total.refused, total.waiting], [of('minted'), of('refused') - asides, 0]);
    assert.equal(
      slices.reduce((sum, slice) => sum + slice.refused, 0),
      total.refused,
    );
    assert.ok(!refusals.some(({ code }) => code === 'nonce_needed'));
    assert.equal(
      slices.reduce((sum, slice) => sum + slice.granted, 0),
      of('minted'),
    );
    const large = refusals.find(({ code }) => code === 'refund_too_large');
    assert.match(large?.remedy ?? '', /Lower amount_minor/);
    assert.deepEqual([large?.count, large?.policies], [1, ['refund-limit']]);
    assert.equal(agents[0]?.agent, 'refund-bot');
    assert.ok((latency?.p50 ?? 0) > 0 && (latency?.p99 ?? 0) >= (latency?.p50 ?? 1));
    assert.deepEqual([waiting, indexed.whole], [{ count: 0, more: false }, true]);
  });

  it('is counted for one agent by tool and rule', async () => {
    const { tools, policies, last } = (await get('/operator/usage?agent=refund-bot')).body as Usage;
    assert.deepEqual([tools[0]?.tool, tools[0]?.kinds['minted']], ['create_refund', 3]);
    assert.equal(policies.find(({ value }) => value === 'refund-limit')?.count, 1);
    assert.equal(last?.seq, (await stands((e) => e.client === 'refund-bot'))[0]);
  });
});

describe('an export', () => {
  it('is an entry first; then each line checks by itself, and the end by all', async () => {
    const from = await rig.count();
    const { status, text, ended } = await stream(socket, '/operator/export?outcome=refused', 5_000);
    assert.deepEqual([status, ended], [200, true]);
    const [entry] = await rig.entries(from);
    assert.deepEqual(
      [entry?.kind, entry?.by, entry?.context],
      ['export', `local:${userInfo().username}`, { filter: { outcome: 'refused' }, through: from }],
    );
    const lines = text.trimEnd().split('\n');
    const parsed = lines.map((line) => JSON.parse(line) as JsonObject);
    const taken = parsed.slice(1, -1);
    assert.deepEqual(
      taken.map(({ seq }) => seq),
      (await stands((e) => e.kind === 'refused')).toReversed(),
    );
    for (const { hash, previous, body } of taken) assert.equal(link(String(previous), canonical(body as JsonObject)), hash);
    const digest = `sha-256:${createHash('sha256')
      .update(`${lines.slice(0, -1).join('\n')}\n`)
      .digest('base64url')}`;
    assert.deepEqual(parsed.at(-1)?.['end'], { entries: taken.length, digest });
    assert.equal(text.includes(SECRET), false);
  });

  it('of a time begins there, and has what stands there', async () => {
    const now = Math.floor(Date.now() / 1000);
    for (const [query, is] of [
      [`from=${now - 60}`, true],
      [`from=${now + 60}`, false],
      [`to=${now - 3600}`, false],
      [`from=${now - 3600}&to=${now + 60}&agent=refund-bot&outcome=minted`, true],
    ] as const) {
      const { text } = await stream(socket, `/operator/export?${query}`, 5_000);
      assert.equal(/"seq":/.test(text), is, query);
      if (is)
        assert.deepEqual(
          [...text.matchAll(/^{"seq":(\d+)/gm)]
            .map(([, seq]) => Number(seq))
            .reverse()
            .slice(0, 3),
          (await seqs(query)).filter((seq) => seq <= Number(/"through":(\d+)/.exec(text)?.[1])).slice(0, 3),
        );
    }
  });

  it('of everything is the whole chain', async () => {
    const { text } = await stream(socket, '/operator/export', 5_000);
    const rows = text
      .trimEnd()
      .split('\n')
      .slice(1, -1)
      .map((line) => JSON.parse(line) as JsonObject);
    let before = '0'.repeat(64);
    for (const [i, { seq, hash, previous }] of rows.entries()) {
      assert.deepEqual([seq, previous], [i + 1, before]);
      before = String(hash);
    }
    assert.equal(rows.length, (await rig.count()) - 1, 'all that was there when it was asked for');
  });
});
