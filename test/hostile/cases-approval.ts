/** Hands that an approval must not serve: each case brings about its own, does one thing wrong, and knows the exact answer. */
import { deletion, pending, poll, vote } from '../flow/approving.ts';
import { type AheadWorld, asAgent, editBundle } from '../flow/front-door.ts';
import { newKey } from '../support/keys.ts';
import type { Answer, Asking, Rig } from '../support/rig.ts';

export interface Scene {
  readonly rig: Rig;
  readonly world: AheadWorld;
  readonly folder: string;
  /** This case's own customer: no two cases share an approval. */
  readonly customer: string;
}
export interface ApprovalCase {
  readonly name: string;
  readonly run: (scene: Scene) => Promise<Answer | { readonly status: number; readonly body: unknown }>;
  readonly status: number;
  readonly error?: string;
  /** What the ledger says of the last thing that was asked; absent: granted. */
  readonly reason?: string;
  readonly detail?: string;
}

interface Open {
  readonly code: string;
  readonly id: string;
}
export const open = ({ rig, customer }: Scene, more: Asking = {}): Promise<Open> => pending(rig, deletion(customer, more));
export async function approved(scene: Scene, more: Asking = {}): Promise<Open> {
  const it = await open(scene, more);
  await vote(scene.rig, it.id);
  return it;
}
export const unknown = { status: 400, error: 'invalid_grant', reason: 'approval_unknown' } as const;
export const conflict = { status: 409, error: 'state_conflict', reason: 'state_conflict' } as const;
const refusedVote = { status: 403, error: 'access_denied', reason: 'vote_refused' } as const;
const LEGAL = ['@approval("team:privacy")', '@approval("team:privacy, team:legal")'] as const;

/** Another hand, another key, another code. */
export const hands: readonly ApprovalCase[] = [
  {
    name: 'another client with the right code',
    run: async (s) => poll(s.rig, (await approved(s)).code, asAgent(s.rig, 'triage-bot')),
    ...unknown,
    detail: 'binding',
  },
  {
    name: 'another key of the same client',
    run: async (s) => poll(s.rig, (await approved(s)).code, { proof: { key: newKey() } }),
    ...unknown,
    detail: 'binding',
  },
  {
    name: 'no key at all',
    run: async (s) => poll(s.rig, (await approved(s)).code, { proof: null }),
    ...unknown,
    detail: 'binding',
  },
  {
    name: 'a code of the right form that nobody was given',
    run: (s) => poll(s.rig, `${'0'.repeat(32)}.${'A'.repeat(43)}`),
    ...unknown,
    detail: 'code',
  },
  {
    name: 'the id of a real one, with a guessed secret',
    run: async (s) =>
      poll(
        s.rig,
        (await approved(s)).code.replace(/\.(.)/, (_, c) => (c === 'A' ? '.B' : '.A')),
      ),
    ...unknown,
    detail: 'code',
  },
  {
    name: 'the secret of one, with the id of another',
    run: async (s) => {
      const [mine, other] = [await open(s), await approved({ ...s, customer: `${s.customer}-2` })];
      return poll(s.rig, `${other.code.split('.')[0]}.${mine.code.split('.')[1]}`);
    },
    ...unknown,
    detail: 'code',
  },
  { name: 'the id alone', run: async (s) => poll(s.rig, (await approved(s)).id), ...unknown, detail: 'code' },
  { name: 'a code with more behind it', run: async (s) => poll(s.rig, `${(await approved(s)).code}A`), ...unknown, detail: 'code' },
  { name: 'a code with a key of the store in it', run: (s) => poll(s.rig, '../../halt/all'), ...unknown, detail: 'code' },
  {
    name: 'a code of 100 KB',
    run: (s) => poll(s.rig, 'a'.repeat(100_000)),
    ...unknown,
    detail: 'code',
  },
];

/** What was agreed to, and what is asked for. */
export const changes: readonly ApprovalCase[] = [
  {
    name: 'another argument waits for people anew',
    run: async (s) => {
      const { code } = await approved(s);
      const other = await pending(s.rig, deletion(`${s.customer}-other`));
      if (other.code === code) throw new Error('one code for two actions');
      return poll(s.rig, other.code);
    },
    status: 400,
    error: 'authorization_pending',
    reason: 'approval_pending',
  },
  {
    name: 'another person waits for people anew',
    run: async (s) => {
      await approved(s);
      const claims = { sub: 'u_dave', groups: ['support', 'support-leads'] };
      return poll(s.rig, (await open(s, { subject: { claims } })).code);
    },
    status: 400,
    error: 'authorization_pending',
    reason: 'approval_pending',
  },
  {
    name: 'a request beside the code changes nothing of what was agreed to',
    run: async (s) => {
      const { code } = await approved(s);
      const answer = await poll(s.rig, code, { form: { resource: 'https://elsewhere.example', scope: 'tool:list' } });
      const details = JSON.stringify(answer.body['authorization_details']);
      if (!details.includes('delete_customer')) throw new Error(details);
      return answer;
    },
    status: 200,
  },
  {
    name: 'a bundle that asks for more people than agreed',
    run: async (s) => {
      const { code } = await approved(s);
      return under(s, ...LEGAL, () => poll(s.rig, code));
    },
    status: 403,
    error: 'access_denied',
    reason: 'approval_needed',
  },
  {
    name: 'what it outgrew has ended, also once the bundle asks for less again',
    run: async (s) => {
      const { code } = await approved(s);
      await under(s, ...LEGAL, () => poll(s.rig, code));
      return poll(s.rig, code);
    },
    ...unknown,
    detail: 'cancelled',
  },
  {
    name: 'a bundle that asks for nobody any more still gives one result',
    run: async (s) => {
      const { code } = await approved(s);
      return under(s, '@approval("team:privacy")\n@approval_ttl("15m")\n', '', () => poll(s.rig, code));
    },
    status: 200,
  },
  {
    name: 'a bundle that allows nobody any more',
    run: async (s) => {
      const { code } = await approved(s);
      return under(s, 'contains("support-leads")', 'contains("nobody")', () => poll(s.rig, code));
    },
    status: 403,
    error: 'access_denied',
    reason: 'policy_denied',
  },
];
async function under<T>({ rig, folder }: Scene, from: string, to: string, work: () => Promise<T>): Promise<T> {
  // Where nothing stands in its place, a comment does: it finds the way back.
  const there = to === '' ? '// gone\n' : to;
  await editBundle(folder, 'people.cedar', from, there);
  await rig.app.reload();
  try {
    return await work();
  } finally {
    await editBundle(folder, 'people.cedar', there, from);
    await rig.app.reload();
  }
}

/** Who decides, and what they may. */
export const votes: readonly ApprovalCase[] = [
  {
    name: 'the person acted for agrees',
    run: async (s) => vote(s.rig, (await open(s)).id, 'approve', 'people:u_carol'),
    ...refusedVote,
    detail: 'own_action',
  },
  {
    name: 'an agent agrees',
    run: async (s) => vote(s.rig, (await open(s)).id, 'approve', 'refund-bot'),
    ...refusedVote,
    detail: 'not_a_person',
  },
  {
    name: 'an agent agrees under a person’s issuer',
    run: async (s) => vote(s.rig, (await open(s)).id, 'approve', 'people:refund-bot'),
    ...refusedVote,
    detail: 'not_a_person',
  },
  {
    name: 'a team agrees',
    run: async (s) => vote(s.rig, (await open(s)).id, 'approve', 'team:privacy'),
    ...refusedVote,
    detail: 'not_a_person',
  },
  {
    name: 'somebody of an issuer nobody configured',
    run: async (s) => vote(s.rig, (await open(s)).id, 'approve', 'strangers:u_eve'),
    ...refusedVote,
    detail: 'not_a_person',
  },
  {
    name: 'denied, then approved',
    run: async (s) => {
      const { id } = await open(s);
      await vote(s.rig, id, 'deny');
      return vote(s.rig, id, 'approve', 'people:u_bob');
    },
    ...conflict,
    detail: 'decided',
  },
  {
    name: 'denied, then polled',
    run: async (s) => {
      const { code, id } = await open(s);
      await vote(s.rig, id, 'deny');
      return poll(s.rig, code);
    },
    status: 400,
    error: 'access_denied',
    reason: 'approval_denied',
  },
  {
    name: 'approved, then denied before it was fetched',
    run: async (s) => {
      const { code, id } = await approved(s);
      await vote(s.rig, id, 'deny', 'people:u_bob');
      return poll(s.rig, code);
    },
    status: 400,
    error: 'access_denied',
    reason: 'approval_denied',
  },
  {
    name: 'fetched, then denied',
    run: async (s) => {
      const { code, id } = await approved(s);
      await poll(s.rig, code);
      return vote(s.rig, id, 'deny');
    },
    ...conflict,
    detail: 'decided',
  },
  {
    name: 'an approval nobody asked for',
    run: (s) => vote(s.rig, `apr_${'0'.repeat(32)}`),
    status: 404,
    error: 'not_found',
    reason: 'not_found',
  },
  {
    name: 'a quorum of two, by one person twice',
    run: (s) =>
      under(s, '@approval("team:privacy")', '@approval("team:privacy") @quorum("2")', async () => {
        const { id } = await open(s);
        await vote(s.rig, id);
        return vote(s.rig, id);
      }),
    ...conflict,
    detail: 'already_voted',
  },
  {
    name: 'a quorum of two, by one person',
    run: (s) =>
      under(s, '@approval("team:privacy")', '@approval("team:privacy") @quorum("2")', async () => poll(s.rig, (await approved(s)).code)),
    status: 400,
    error: 'authorization_pending',
    reason: 'approval_pending',
  },
  {
    name: 'a quorum of two, by two',
    run: (s) =>
      under(s, '@approval("team:privacy")', '@approval("team:privacy") @quorum("2")', async () => {
        const { code, id } = await approved(s);
        await vote(s.rig, id, 'approve', 'people:u_bob');
        return poll(s.rig, code);
      }),
    status: 200,
  },
  {
    name: 'somebody whom the demand does not name',
    run: (s) => under(s, '@approval("team:privacy")', '@approval("people:u_bob")', async () => vote(s.rig, (await open(s)).id)),
    ...refusedVote,
    detail: 'not_an_approver',
  },
];
