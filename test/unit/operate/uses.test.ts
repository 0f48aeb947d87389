/** What agents use: by the newest entries, and by the index beyond them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAgents } from '../../../src/operate/agents.ts';
import { scanUses } from '../../../src/operate/uses.ts';
import type { Stored } from '../../../src/store/store.ts';
import type { JsonObject } from '../../../src/wire/json.ts';
import { compiled, NOW, PAY, permit } from '../../policy/fixture.ts';

const SHOP = 'https://shop.example/mcp';
type Row = readonly [kind: string, secondsAgo: number, more?: JsonObject];
/** The oldest first. */
const ledgerOf = (
  rows: readonly Row[],
): { scan(page: { readonly after?: string; readonly limit: number }): Promise<readonly Stored[]> } => ({
  async scan({ after, limit }) {
    const before = after === undefined ? rows.length : Number(after.slice('entry/'.length));
    return rows
      .map(([kind, ago, more], seq) => ({
        key: `entry/${seq}`,
        version: 1,
        value: { kind, at: NOW - ago, exchange: 'exc_1', resource: SHOP, ...more },
      }))
      .slice(Math.max(0, before - limit), before)
      .toReversed();
  },
});
const bot = (more: JsonObject = {}): JsonObject => ({ client: 'bot', tool: 'pay', ...more });

test('a use is a grant, of whoever takes part in it; a refusal and a redemption are none', async () => {
  const rows: readonly Row[] = [
    ['minted', 50, bot()],
    ['minted', 40, bot({ actors: ['sub', 'bot'] })],
    ['minted', 30, { client: 'bot' }],
    ['refused', 20, bot()],
    ['minted', 10, { client: 'shop', request: 'redeem', tool: 'pay' }],
  ];
  const { of, since } = await scanUses(ledgerOf(rows))();
  assert.deepEqual(of('bot'), [
    { resource: SHOP, tool: 'tool:list', count: 1, at: NOW - 30 },
    { resource: SHOP, tool: 'pay', count: 2, at: NOW - 40 },
  ]);
  assert.deepEqual(of('sub'), [{ resource: SHOP, tool: 'pay', count: 1, at: NOW - 40 }]);
  assert.deepEqual([of('shop'), of('nobody'), since], [[], [], undefined]);
});

test('of a long ledger the newest, and it says how far it came', async () => {
  const rows = Array.from({ length: 1_200 }, (_, i): Row => ['minted', 5_000 - i, i === 0 ? bot({ tool: 'look' }) : bot()]);
  const { of, since } = await scanUses(ledgerOf(rows), 1_000)();
  assert.deepEqual(of('bot'), [{ resource: SHOP, tool: 'pay', count: 1_000, at: NOW - 3_801 }]);
  assert.equal(since, NOW - 4_800);
});

const DAY = 86_400;
test('rights beyond the newest entries are looked for in the index, and old ones count as unused', async () => {
  const { bundle } = await compiled(
    permit('acts', `principal == Actor::"bot", action in [${PAY}, shop::Action::"look", shop::Action::"secret"], resource`) +
      permit('all', 'principal is Person, action, resource'),
  );
  const asked: string[] = [];
  const agents = createAgents({
    store: { look: async () => assert.fail('there is no budget') },
    world: { now: () => NOW },
    bundles: { current: () => bundle },
    revoke: { list: async () => [] },
    uses: async () => ({ since: NOW - 60, of: (id) => (id === 'bot' ? [{ resource: SHOP, tool: 'pay', count: 3, at: NOW - 5 }] : []) }),
    lastUse: async ({ agent, tool }) => {
      asked.push(`${agent} ${tool}`);
      return tool === 'look' ? NOW - 100 * DAY : undefined;
    },
  });
  const shown = await agents.show('bot', 90);
  assert.ok(shown.ok);
  assert.deepEqual(
    shown.value.mandate.map(({ tool, used, last_use: at }) => [tool, used, at]),
    [
      ['pay', true, NOW - 5],
      ['look', false, NOW - 100 * DAY],
      ['secret', false, undefined],
    ],
  );
  assert.deepEqual([asked, shown.value.uses_since], [['bot look', 'bot secret'], undefined]);
  const {
    agents: [first],
  } = await agents.list(365, { limit: 10 });
  assert.deepEqual([first?.rights, first?.unused, first?.last_use], [3, 1, NOW - 5]);
});
