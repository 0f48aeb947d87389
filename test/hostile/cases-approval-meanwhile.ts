/** An approval that something happened to meanwhile: its record was edited, its time passed, a halt landed. */
import type { Json, JsonObject } from '../../src/wire/json.ts';
import { asking, deletion, operator, poll, vote } from '../flow/approving.ts';
import { type ApprovalCase, approved, conflict, open, type Scene, unknown } from './cases-approval.ts';

const suspended = { status: 403, error: 'access_denied', reason: 'suspended' } as const;
interface Record {
  readonly key: string;
  readonly version: number;
  readonly approval: JsonObject;
  readonly mac: string;
}
export async function recordOf({ rig }: Scene, id: string): Promise<Record> {
  const key = `approval/${id}`;
  const [found] = (await rig.app.store.look([key])).found;
  if (!found) throw new Error('no record');
  return { key, version: found.version, ...(found.value as unknown as Pick<Record, 'approval' | 'mac'>) };
}
/** What stands in the store is changed by somebody who can write there, and has no secret. */
export async function edit(scene: Scene, id: string, change: (record: JsonObject) => Json): Promise<void> {
  const { rig } = scene;
  const { key, version, approval, mac } = await recordOf(scene, id);
  const value = { approval: change(approval), mac };
  await rig.app.store.commit({
    at: rig.now(),
    notAfter: rig.now() + 60,
    claims: [{ key, version, value, else: 'state_conflict' }],
    entries: [],
  });
}
const halt = ({ rig }: Scene, scope: string, target: string, undo = false) =>
  operator(rig, 'POST', `/operator/revocations${undo ? '/undo' : ''}`, { scope, target, reason: 'test' });
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A record that somebody changed, a time that has passed, a halt that landed meanwhile. */
export const meanwhile: readonly ApprovalCase[] = [
  {
    name: 'a pending record edited to approved',
    run: async (s) => {
      const { code, id } = await open(s);
      await edit(s, id, (record) => ({ ...record, state: 'approved' }));
      return poll(s.rig, code);
    },
    ...unknown,
    detail: 'edited',
  },
  {
    name: 'a redeemed record put back as it was when approved',
    run: async (s) => {
      const { code, id } = await approved(s);
      const before = await recordOf(s, id);
      await poll(s.rig, code);
      await edit(s, id, () => before.approval);
      return poll(s.rig, code);
    },
    ...unknown,
    detail: 'edited',
  },
  {
    name: 'an edited record put before an approver',
    run: async (s) => {
      const { id } = await open(s);
      await edit(s, id, (record) => ({ ...record, tool: 'list_orders' }));
      return vote(s.rig, id);
    },
    ...conflict,
    detail: 'edited',
  },
  {
    name: 'one agreed record under the name of another',
    run: async (s) => {
      const [mine, other] = [await open(s), await approved({ ...s, customer: `${s.customer}-2` })];
      const { approval } = await recordOf(s, other.id);
      await edit(s, mine.id, () => approval);
      return poll(s.rig, mine.code);
    },
    ...unknown,
    detail: 'edited',
  },
  {
    name: 'an agent halted while its request waits',
    run: async (s) => {
      const { code } = await open(s);
      await halt(s, 'agent', 'refund-bot');
      const answer = await poll(s.rig, code);
      await halt(s, 'agent', 'refund-bot', true);
      return answer;
    },
    ...suspended,
  },
  {
    name: 'a person halted after people agreed',
    run: async (s) => {
      const { code } = await approved(s);
      await halt(s, 'subject', 'people:u_carol');
      const answer = await poll(s.rig, code);
      await halt(s, 'subject', 'people:u_carol', true);
      return answer;
    },
    ...suspended,
  },
  {
    name: 'a vote on what was halted',
    run: async (s) => {
      const { id } = await open(s);
      await halt(s, 'tool', 'shop/delete_customer');
      const answer = await vote(s.rig, id);
      await halt(s, 'tool', 'shop/delete_customer', true);
      return answer;
    },
    ...suspended,
  },
  {
    name: 'a halt that was undone before anybody asked: what it ended stays ended',
    run: async (s) => {
      const { code } = await approved(s);
      await halt(s, 'server', 'shop');
      await pause(300);
      await halt(s, 'server', 'shop', true);
      return poll(s.rig, code);
    },
    ...unknown,
    detail: 'cancelled',
  },
  {
    name: 'a halted agent asks for a new one',
    run: async (s) => {
      await halt(s, 'agent', 'refund-bot');
      try {
        return await asking(s.rig, deletion(s.customer));
      } finally {
        await halt(s, 'agent', 'refund-bot', true);
      }
    },
    ...suspended,
  },
  {
    name: 'fetched, then fetched after the token’s end',
    run: async (s) => {
      const { code } = await approved(s);
      await poll(s.rig, code);
      s.world.ahead(301);
      return poll(s.rig, code);
    },
    status: 400,
    error: 'invalid_grant',
    reason: 'retry_lapsed',
  },
  {
    name: 'agreed, and fetched after the end of the time to decide',
    run: async (s) => {
      const { code } = await approved(s);
      s.world.ahead(901);
      return poll(s.rig, code);
    },
    status: 400,
    error: 'expired_token',
    reason: 'approval_expired',
  },
  {
    name: 'a vote after the end',
    run: async (s) => {
      const { id } = await open(s);
      s.world.ahead(901);
      return vote(s.rig, id);
    },
    ...conflict,
    detail: 'lapsed',
  },
];
