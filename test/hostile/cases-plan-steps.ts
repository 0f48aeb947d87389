/** Steps of a plan at the wrong time, and what happened to it meanwhile. */
import { asking, DELETE, operator, poll } from '../flow/approving.ts';
import { editBundle } from '../flow/front-door.ts';
import { agreedPlan, look, ORDERED, planned, take, voteOn, withdraw } from '../flow/planning.ts';
import type { Scene } from './cases-approval.ts';
import { edit, recordOf } from './cases-approval-meanwhile.ts';
import { agreed, first, malformed, type PlanCase, refused, second, two, unknown } from './cases-plan.ts';

/** Steps in the wrong order, at the wrong time, or once too often. */
export const turns: readonly PlanCase[] = [
  // First: a halt ends by the store's own clock, which stays behind once a case has put the broker's ahead.
  {
    name: 'while its agent is halted',
    run: async (s) => {
      const { code } = await agreed(s);
      return halted(s, 'agent', 'refund-bot', () => take(s.rig, code, first(s)));
    },
    status: 403,
    error: 'access_denied',
    reason: 'suspended',
  },
  {
    name: 'while the tool of one step is halted',
    run: async (s) => {
      const { code } = await planned(s.rig, [look(s.customer), first(s)]);
      return halted(s, 'tool', 'shop/delete_customer', () => poll(s.rig, code));
    },
    status: 403,
    error: 'access_denied',
    reason: 'suspended',
  },
  {
    name: 'before anybody decided',
    run: async (s) => take(s.rig, (await planned(s.rig, two(s))).code, first(s)),
    status: 400,
    error: 'authorization_pending',
    reason: 'approval_pending',
  },
  { name: 'out of order', run: async (s) => take(s.rig, (await agreed(s, ORDERED)).code, second(s)), ...refused, step: 1 },
  { name: 'a step that was left out', run: async (s) => take(s.rig, (await agreed(s, {}, [1])).code, first(s)), ...refused, step: 0 },
  {
    name: 'what comes after a step that was left out, in order',
    run: async (s) => {
      const { code } = await agreed(s, ORDERED, [0]);
      await take(s.rig, code, first(s));
      return take(s.rig, code, second(s));
    },
    ...refused,
    step: 1,
  },
  {
    name: 'twice, under two names',
    run: async (s) => {
      const { code } = await agreed(s);
      await take(s.rig, code, first(s), { headers: { 'idempotency-key': `"${s.customer}-1"` } });
      return take(s.rig, code, first(s), { headers: { 'idempotency-key': `"${s.customer}-2"` } });
    },
    ...unknown,
    detail: 'redeemed',
  },
  {
    name: 'another step under the name of the one before',
    run: async (s) => {
      const { code } = await agreed(s);
      const headers = { 'idempotency-key': `"${s.customer}"` };
      await take(s.rig, code, first(s), { headers });
      return take(s.rig, code, second(s), { headers });
    },
    status: 400,
    error: 'invalid_request',
    reason: 'retry_mismatch',
  },
  {
    name: 'the same action without the plan under the same name',
    run: async (s) => {
      const { code } = await agreed(s);
      const headers = { 'idempotency-key': `"${s.customer}"` };
      await take(s.rig, code, first(s), { headers });
      return asking(s.rig, { ...DELETE, details: [first(s)], headers });
    },
    status: 400,
    error: 'invalid_request',
    reason: 'retry_mismatch',
  },
  {
    name: 'taken, then taken again after its token’s end',
    run: async (s) => {
      const { code } = await agreed(s);
      await take(s.rig, code, first(s));
      s.world.ahead(301);
      return take(s.rig, code, first(s));
    },
    status: 400,
    error: 'invalid_grant',
    reason: 'retry_lapsed',
  },
  {
    name: 'after its time',
    run: async (s) => {
      const { code } = await agreed(s);
      s.world.ahead(901);
      return take(s.rig, code, first(s));
    },
    status: 400,
    error: 'expired_token',
    reason: 'approval_expired',
  },
  {
    name: 'after a late no',
    run: async (s) => {
      const { code, id } = await agreed(s);
      await take(s.rig, code, first(s));
      await voteOn(s.rig, id, undefined, 'deny', 'people:u_bob');
      return take(s.rig, code, second(s));
    },
    status: 400,
    error: 'access_denied',
    reason: 'approval_denied',
  },
  {
    name: 'after it was withdrawn',
    run: async (s) => {
      const { code } = await agreed(s);
      await withdraw(s.rig, code);
      return take(s.rig, code, first(s));
    },
    ...unknown,
    detail: 'cancelled',
  },
  {
    name: 'withdrawn, then polled',
    run: async (s) => {
      const { code } = await planned(s.rig, two(s));
      await withdraw(s.rig, code);
      return poll(s.rig, code);
    },
    ...unknown,
    detail: 'cancelled',
  },
];
async function halted<T>({ rig }: Scene, scope: string, target: string, work: () => Promise<T>): Promise<T> {
  await operator(rig, 'POST', '/operator/revocations', { scope, target, reason: 'test' });
  try {
    return await work();
  } finally {
    await operator(rig, 'POST', '/operator/revocations/undo', { scope, target, reason: 'test' });
  }
}

/** What changed meanwhile: the record, or the rules. */
export const meanwhile: readonly PlanCase[] = [
  {
    name: 'a record edited to name another step',
    run: async (s) => {
      const { code, id } = await agreed(s);
      await edit(s, id, (record) => ({ ...record, plan: { ordered: false, steps: [] } }));
      return take(s.rig, code, first(s));
    },
    ...unknown,
    detail: 'edited',
  },
  {
    name: 'a record put back as it was before a step was taken',
    run: async (s) => {
      const { code, id } = await agreed(s);
      const { approval } = await recordOf(s, id);
      await take(s.rig, code, first(s), { headers: { 'idempotency-key': `"${s.customer}"` } });
      await edit(s, id, () => approval);
      return take(s.rig, code, first(s));
    },
    ...unknown,
    detail: 'edited',
  },
  {
    name: 'rules that allow nobody any more',
    run: async (s) => {
      const { code } = await agreed(s);
      return under(s, 'contains("support-leads")', 'contains("nobody")', () => take(s.rig, code, first(s)));
    },
    status: 403,
    error: 'access_denied',
    reason: 'policy_denied',
  },
  {
    name: 'rules that ask for more people than agreed',
    run: async (s) => {
      const { code } = await agreed(s);
      return under(s, ...LEGAL, () => take(s.rig, code, first(s)));
    },
    status: 403,
    error: 'access_denied',
    reason: 'approval_needed',
  },
  {
    name: 'what it outgrew has ended, also once the rules ask for less again',
    run: async (s) => {
      const { code } = await agreed(s);
      await under(s, ...LEGAL, () => take(s.rig, code, first(s)));
      return take(s.rig, code, second(s));
    },
    ...unknown,
    detail: 'cancelled',
  },
  {
    name: 'rules that now ask for people about a step that nobody was asked about',
    run: async (s) => {
      const { code } = await agreedPlan(s.rig, [look(s.customer), first(s)], {}, [1]);
      return under(s, '@id("support-sees-orders")', '@id("support-sees-orders") @approval("team:privacy")', () =>
        take(s.rig, code, look(s.customer)),
      );
    },
    status: 403,
    error: 'access_denied',
    reason: 'approval_needed',
  },
  {
    name: 'rules that now ask for people about a step that they looked at all the same',
    run: async (s) => {
      const { code } = await agreedPlan(s.rig, [look(s.customer), first(s)]);
      return under(s, '@id("support-sees-orders")', '@id("support-sees-orders") @approval("team:privacy")', () =>
        take(s.rig, code, look(s.customer)),
      );
    },
    status: 200,
  },
];
const LEGAL = ['@approval("team:privacy")', '@approval("team:privacy, team:legal")'] as const;
async function under<T>({ rig, folder }: Scene, from: string, to: string, work: () => Promise<T>): Promise<T> {
  await editBundle(folder, 'people.cedar', from, to);
  await rig.app.reload();
  try {
    return await work();
  } finally {
    await editBundle(folder, 'people.cedar', to, from);
    await rig.app.reload();
  }
}

/** Votes that name what they must not. */
export const votes: readonly PlanCase[] = [
  {
    name: 'a step that there is not',
    run: async (s) => voteOn(s.rig, (await planned(s.rig, two(s))).id, [2]),
    ...malformed,
    detail: 'no_such_step',
  },
  {
    name: 'one step twice',
    run: async (s) => voteOn(s.rig, (await planned(s.rig, two(s))).id, [0, 0]),
    ...malformed,
    detail: 'no_such_step',
  },
  {
    name: 'none that anybody is asked about',
    run: async (s) => voteOn(s.rig, (await planned(s.rig, [look(s.customer), first(s)])).id, [0]),
    ...malformed,
    detail: 'no_such_step',
  },
  {
    name: 'a no to some of it',
    run: async (s) => voteOn(s.rig, (await planned(s.rig, two(s))).id, [0], 'deny'),
    ...malformed,
    detail: 'no_such_step',
  },
  {
    name: 'what comes after what is left out, in order',
    run: async (s) => voteOn(s.rig, (await planned(s.rig, two(s), ORDERED)).id, [1]),
    ...malformed,
    detail: 'out_of_order',
  },
  {
    name: 'steps of a single action',
    run: async (s) => {
      const { body } = await asking(s.rig, { ...DELETE, details: [first(s)] });
      return voteOn(s.rig, `apr_${String(body['deferral_code']).split('.')[0]}`, [0]);
    },
    ...malformed,
    detail: 'no_such_step',
  },
  {
    name: 'the person acted for',
    run: async (s) => voteOn(s.rig, (await planned(s.rig, two(s))).id, undefined, 'approve', 'people:u_carol'),
    status: 403,
    error: 'access_denied',
    reason: 'vote_refused',
    detail: 'own_action',
  },
];
