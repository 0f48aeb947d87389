import assert from 'node:assert/strict';
import { test } from 'node:test';
import { guardTools } from '../../../src/verify/guard-tools.ts';
import { currentAction, endRun, inRun, openRun } from '../../../src/verify/run.ts';
import { type Receipts, VerifyError } from '../../../src/verify/verify.ts';
import { goodCall, shop, TOOL } from './issuer.ts';

type Tool = (...args: unknown[]) => Promise<unknown>;
/** A server that only keeps what is registered. */
function till() {
  const tools = new Map<string, Tool>();
  const server = {
    registerTool: (name: string, _config: unknown, callback: unknown) => void tools.set(name, callback as Tool),
    tool: (name: string, ...rest: unknown[]) => void tools.set(name, rest.at(-1) as Tool),
  };
  return { server, call: (name: string, ...args: unknown[]) => (tools.get(name) as Tool)(...args) };
}
async function opened() {
  const told: string[] = [];
  const receipts = { add: async (receipt: { outcome: string }) => void told.push(receipt.outcome) } as unknown as Receipts;
  return { run: openRun(await shop({ receipts }).verify(await goodCall('meta'))), told };
}
const unguarded = (fault: unknown): boolean => fault instanceof VerifyError && fault.code === 'ERR_TOOL_UNGUARDED' && fault.status === 500;

for (const way of ['registerTool', 'tool'] as const) {
  test(`${way}: a tool runs in its own action, once`, async () => {
    const { server, call } = till();
    guardTools(server as never);
    const ran: unknown[] = [];
    const work = async (args: unknown) => {
      ran.push([args, currentAction()?.tool]);
      return { content: [] };
    };
    for (const name of [TOOL, 'delete_customer']) server[way](name, {}, work);
    await assert.rejects(call(TOOL), unguarded);
    const { run, told } = await opened();
    await assert.rejects(
      inRun(run, () => call('delete_customer')),
      unguarded,
    );
    await inRun(run, () => call(TOOL, { a: 1 }));
    await assert.rejects(
      inRun(run, () => call(TOOL, { a: 2 })),
      unguarded,
    );
    assert.deepEqual([ran, told], [[[{ a: 1 }, TOOL]], ['done']]);
  });
}
const ENDS: readonly (readonly [string, () => unknown, string])[] = [
  ['a result', () => ({ content: [] }), 'done'],
  ['no result', () => undefined, 'done'],
  ['an error result', () => ({ isError: true }), 'failed'],
  ['a question', () => ({ resultType: 'input_required', inputRequests: {} }), 'failed'],
  [
    'a throw',
    () => {
      throw new Error('stuck');
    },
    'failed',
  ],
];
for (const [what, end, outcome] of ENDS) {
  test(`${what} is told as ${outcome}`, async () => {
    const { server, call } = till();
    guardTools(server as never);
    server.registerTool(TOOL, {}, async () => end());
    const { run, told } = await opened();
    await inRun(run, () => call(TOOL)).catch(() => {});
    endRun(run);
    assert.deepEqual(told, [outcome]);
  });
}
test('what was told as not run does not run later', async () => {
  const { server, call } = till();
  const { run, told } = await opened();
  inRun(run, () => guardTools(server as never));
  server.registerTool(TOOL, {}, async () => assert.fail('it ran'));
  endRun(run);
  await assert.rejects(
    inRun(run, () => call(TOOL)),
    unguarded,
  );
  assert.deepEqual(told, ['not_run']);
});
test('of a tool that nobody watches nothing is said', async () => {
  const { run, told } = await opened();
  endRun(run);
  assert.deepEqual(told, []);
});
