/** How far an action came, in a row: from what the ledger says, and from what it does not say. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { type Step, stagesOf, type Told } from '../../../src/console/browser/explorer-stages.ts';

const story = (...kinds: readonly (string | Partial<Step>)[]): readonly Told[] =>
  kinds.map((kind, i) => ({
    seq: i + 1,
    hash: '',
    entry: {
      at: 100 + i,
      exchange: 'exc_1',
      tool: 'create_refund',
      exp: 160,
      ...(typeof kind === 'string' ? { kind } : { kind: '', ...kind }),
    },
  }));
const names = (told: readonly Told[], now = 500): string =>
  stagesOf(told, now)
    .map(({ name, at, tone }) => `${name}${at === undefined ? '' : `@${at}`}:${tone}`)
    .join(' ');

it('is told for every course that an action can take', () => {
  const done: Partial<Step> = { kind: 'receipt', outcome: 'done' };
  const courses: readonly (readonly [readonly Told[], string])[] = [
    [story('minted', done), 'requested@100:good granted@100:good done@101:good'],
    [story('minted', { kind: 'receipt', outcome: 'not_run' }), 'requested@100:good granted@100:good not run@101:bad'],
    [story('minted'), 'requested@100:good granted@100:good no receipt:quiet'],
    [story('minted', 'revoked'), 'requested@100:good granted@100:good revoked@101:warn'],
    [story('intent', 'minted', done, 'ended'), 'requested@100:good granted@101:good done@102:good ended@103:good'],
    [story('refused'), 'requested@100:good refused@100:bad'],
    [story({ kind: 'refused', reason: 'nonce_needed' }), ''],
    [story('pending', { kind: 'refused', reason: 'approval_pending' }, 'denied'), 'requested@100:good denied@102:bad'],
    [story('faulted'), 'requested@100:good not answered@100:bad'],
    [story('pending'), 'requested@100:good waits for people:warn'],
    [story('pending', 'pending'), 'requested@100:good waits for people:warn'],
    [story('pending', 'approved'), 'requested@100:good approved@101:good to be fetched:warn'],
    [story('pending', 'approved', 'minted', done), 'requested@100:good approved@101:good granted@102:good done@103:good'],
    [story('pending', 'denied'), 'requested@100:good denied@101:bad'],
    [story('pending', 'approved', 'expired'), 'requested@100:good approved@101:good expired@102:bad'],
    [story('pending', 'cancelled'), 'requested@100:good cancelled@101:bad'],
    [story({ kind: 'bundle', by: 'local:root' }), ''],
    [story(), ''],
  ];
  for (const [told, expected] of courses) assert.equal(names(told), expected);
});

it('does not say of a token that lives that nobody used it; of one that lists tools it says nothing', () => {
  assert.equal(names(story('minted'), 120), 'requested@100:good granted@100:good not used yet:warn');
  const list = story('minted').map((told) => {
    const { tool: _, ...entry } = told.entry;
    return { ...told, entry };
  });
  assert.equal(names(list), 'requested@100:good granted@100:good');
});
