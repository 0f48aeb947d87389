/** What is shown is read from the ledger: an index that lies shows nothing that was not asked for, and an export does not ask it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createEntries } from '../../../src/operate/entries.ts';
import type { Search } from '../../../src/operate/search.ts';
import { type Store, seqOf } from '../../../src/store/store.ts';
import { memoryStore } from '../../support/memory-store.ts';

const START = 1_795_176_000;
const indexed = { through: 1_000, whole: true };

async function room(count: number, lie: readonly number[] = []) {
  const store = memoryStore({ now: () => START });
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    // Two brokers, one of them behind by up to two minutes.
    const at = START + i * 10 - (i % 2) * (i % 120);
    times.push(at);
    const body = { kind: i % 3 === 0 ? 'refused' : 'minted', at, exchange: `exc_${i}`, client: i % 2 ? 'a' : 'b' };
    await store.commit({ at: START, notAfter: START, claims: [], entries: [{ body, terms: [] }] });
  }
  const search: Search = {
    find: async () => ({ seqs: lie, indexed }),
    tally: () => Promise.reject(new Error('nobody asks')),
    usage: () => Promise.reject(new Error('nobody asks')),
    indexed: async () => indexed,
    close: async () => undefined,
  };
  let scans = 0;
  const counted: Pick<Store, 'scan'> = {
    scan(page) {
      scans++;
      return store.scan(page);
    },
  };
  const servers = () => ({ byId: () => undefined, byResource: () => undefined, all: [] });
  return { entries: createEntries({ store: counted, search, servers }), times, scans: () => scans };
}

describe('entries', () => {
  it('that an index names and that are not there, or not what was asked for, are not shown', async () => {
    const { entries } = await room(20, [99, 20, 19, 18, 17, 3, 0]);
    const { entries: shown } = await entries.find({ agent: 'a', outcome: 'minted' }, { limit: 50 });
    assert.deepEqual(
      shown.map(({ seq, entry }) => [seq, entry.client, entry.kind]),
      [
        [20, 'a', 'minted'],
        [18, 'a', 'minted'],
      ],
    );
  });

  it('are taken away by time from where they begin, without reading all before, and none is missed', async () => {
    const { entries, times, scans } = await room(3_000);
    for (const [from, to] of [
      [START + 25_000, START + 26_000],
      [START, START + 5],
      [START + 29_900, undefined],
      [START + 90_000, undefined],
    ] as const) {
      const before = scans();
      const taken: number[] = [];
      for await (const { row } of entries.each({ from, ...(to !== undefined && { to }) }, 3_000)) taken.push(seqOf(row.key));
      const expected = times.flatMap((at, i) => (at >= from && at <= (to ?? Number.MAX_SAFE_INTEGER) ? [i + 1] : []));
      assert.deepEqual(taken, expected);
      assert.ok(scans() - before < 20, `${scans() - before} looks`);
    }
  });

  it('are taken away up to the one that was the last', async () => {
    const { entries } = await room(250);
    let last = 0;
    for await (const { row } of entries.each({}, 201)) last = seqOf(row.key);
    assert.equal(last, 201);
  });
});
