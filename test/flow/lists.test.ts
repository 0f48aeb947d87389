/** Lists of the operator API that are longer than one answer: part after part over the socket, each row once, and a place that is none. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { wholeList } from '../../scripts/operator-client.ts';
import { documentedClient } from '../support/documented.ts';
import { type Rig, startRig } from '../support/rig.ts';
import { agentsOfCrowd, crowd, hex, MANY, many, write } from './crowd.ts';

let rig: Rig;

before(async () => {
  rig = await startRig({ bundle: agentsOfCrowd });
  await crowd(rig);
});
after(() => rig.stop());

const ask = (method: 'GET' | 'POST', path: string) => documentedClient(join(rig.folder, 'operator.sock'))(method, path);
type Row = Readonly<Record<string, unknown>>;
async function part(path: string, name: string): Promise<{ readonly rows: readonly Row[]; readonly next?: string; readonly body: Row }> {
  const { status, body } = await ask('GET', path);
  assert.equal(status, 200, JSON.stringify(body));
  const { next, [name]: rows } = body as Row;
  return { rows: rows as readonly Row[], body: body as Row, ...(typeof next === 'string' && { next }) };
}
const pick = (state: readonly number[], of = many): readonly string[] =>
  of.filter((i) => state.includes(i % 5)).map((i) => `apr_${hex(i)}`);
const sorted = (names: readonly string[]): readonly string[] => names.toSorted();
/** Path, list, its rows' name, and the names in order; or sorted, where times that are alike decide. */
const TABLE: readonly (readonly [path: string, list: string, name: string, expected: readonly string[], any?: true])[] = [
  ['/operator/approvals', 'approvals', 'id', pick([0, 1, 2, 3]).toReversed()],
  ['/operator/approvals?first=oldest', 'approvals', 'id', pick([0, 1, 2, 3])],
  ['/operator/approvals?state=pending', 'approvals', 'id', pick([0, 1, 2]).toReversed()],
  ['/operator/approvals?state=pending&first=oldest', 'approvals', 'id', pick([0, 1, 2])],
  ['/operator/approvals?state=denied', 'approvals', 'id', pick([4]).toReversed()],
  ['/operator/approvals?state=expired', 'approvals', 'id', []],
  [
    '/operator/confirmations?as=people:u_bob',
    'confirmations',
    'id',
    pick(
      [0, 1, 2, 3],
      many.filter((i) => i % 3 === 0),
    ).toReversed(),
  ],
  ['/operator/confirmations?as=people:u_alice', 'confirmations', 'id', []],
  ['/operator/revocations', 'halts', 'target', many.map((i) => `people:u_${i}`), true],
  ['/operator/leases', 'leases', 'id', many.map((i) => `lea_${hex(i)}`)],
  ['/operator/agents', 'agents', 'id', sorted([...many.map((i) => `bot-${i}`), 'refund-bot', 'triage-bot', 'nightly-report'])],
];

describe('a list of 2,500', () => {
  for (const [path, list, name, expected, any] of TABLE)
    it(`${path}: each row once, 1,000 at a time`, async () => {
      const names: string[] = [];
      const lengths: number[] = [];
      for (let next: string | undefined; ; ) {
        const query = next === undefined ? '' : `${path.includes('?') ? '&' : '?'}after=${next}`;
        const got = await part(`${path}${query}`, list);
        names.push(...got.rows.map((row) => String(row[name])));
        lengths.push(got.rows.length);
        next = got.next;
        if (next === undefined) break;
      }
      assert.deepEqual(any ? sorted(names) : names, any ? sorted(expected) : expected);
      const parts = Math.max(1, Math.ceil(expected.length / 1_000));
      assert.deepEqual(
        lengths,
        Array.from({ length: parts }, (_, at) => Math.min(1_000, expected.length - at * 1_000)),
      );
    });
  it('is told whole to scripts, with what stands beside it', async () => {
    const { body } = await wholeList(ask, '/operator/leases', 'leases');
    const { leases, next, open } = body as Row;
    assert.deepEqual([(leases as unknown[]).length, next, open], [MANY, undefined, MANY]);
  });
  it('of halts is the newest first, and all of them count', async () => {
    const { rows } = await part('/operator/revocations', 'halts');
    const times = rows.map(({ at }) => Number(at));
    assert.deepEqual(
      times,
      times.toSorted((a, b) => b - a),
    );
    const overview = (await ask('GET', '/operator/overview')).body as Row;
    assert.equal(overview['halts'], MANY);
  });
  it('goes on where what was told last has gone', async () => {
    const first = await part('/operator/approvals?state=pending&first=oldest&limit=10', 'approvals');
    const gone = String(first.next);
    const [found] = (await rig.app.store.look([`approval/${gone}`])).found;
    await write(rig, [{ key: `approval/${gone}`, version: found?.version ?? 0, value: null, until: 0, else: 'state_conflict' }]);
    const second = await part(`/operator/approvals?state=pending&first=oldest&limit=10&after=${gone}`, 'approvals');
    assert.deepEqual(
      second.rows.map(({ id }) => id),
      pick([0, 1, 2]).slice(10, 20),
    );
  });
  it('has no place that nobody was told, and no part of none', async () => {
    const queries = [
      'limit=0',
      'limit=1001',
      'limit=-1',
      'limit=1e2',
      'limit=',
      'after=',
      'after=a.b',
      'after=%00',
      `after=${'a'.repeat(513)}`,
      'after=a&after=b',
      'limit=1&limit=2',
      'befor=1',
    ];
    for (const path of ['approvals', 'revocations', 'leases', 'agents', 'fatigue', 'confirmations?as=people:u_bob'])
      for (const query of queries)
        assert.equal((await ask('GET', `/operator/${path}${path.includes('?') ? '&' : '?'}${query}`)).status, 400, `${path} ${query}`);
    for (const place of ['apr_0', `exc_${'0'.repeat(32)}`, 'approval', `apr_${'G'.repeat(32)}`])
      for (const path of ['approvals', 'confirmations?as=people:u_bob'])
        assert.equal((await ask('GET', `/operator/${path}${path.includes('?') ? '&' : '?'}after=${place}`)).status, 400, place);
  });
});
