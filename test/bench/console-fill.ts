/** Fills a ledger with entries of many people, agents and outcomes, and lets approvals wait: what a console has to find its way in. */
import { randomBytes } from 'node:crypto';
import { approvalKey, createKeeper } from '../../src/approve/kept.ts';
import type { Approval } from '../../src/approve/state.ts';
import { openSecret } from '../../src/keys/secret-file.ts';
import { newRoot, ROOT_BYTES, termOf } from '../../src/record/entry.ts';
import type { Batch } from '../../src/store/store.ts';
import { sqliteStore } from '../../src/store/store-sqlite.ts';
import type { JsonObject } from '../../src/wire/json.ts';

export interface ConsoleFillInput {
  readonly path: string;
  readonly keyFile: string;
  readonly count: number;
  readonly pending: number;
  readonly people: number;
  /** One that a broker has written. */
  readonly like: Batch<string>;
}
const TOGETHER = 200;
const AGENTS = ['refund-bot', 'triage-bot', 'nightly-report'];
const DAY = 24 * 3600;

export async function work(input: ConsoleFillInput): Promise<void> {
  const { path, keyFile, count, pending } = input;
  const until = Math.floor(Date.now() / 1000);
  let moment = until - DAY;
  const store = await sqliteStore({ path });
  const commit = async (batch: Pick<Batch<string>, 'claims' | 'entries'>): Promise<void> => {
    const failed = await store.commit({ at: until, notAfter: until + DAY, ...batch });
    if (failed !== undefined) throw new Error(`a claim did not hold: ${failed}`);
  };
  const body = bodies(input);
  for (let i = 0; i < count; i += TOGETHER) {
    moment = until - DAY + (i / count) * DAY;
    await commit({ claims: [], entries: Array.from({ length: Math.min(TOGETHER, count - i) }, (_, k) => body(i + k, moment)) });
  }
  const keeper = createKeeper(openSecret({ file: keyFile }));
  for (let i = 0; i < pending; i += TOGETHER) {
    const some = Array.from({ length: Math.min(TOGETHER, pending - i) }, (_, k) => approval(i + k, until));
    await commit({ claims: some.map((one) => keeper.write({ version: 0, approval: one }, one, 'state_conflict')), entries: [] });
  }
  await store.close();

  function approval(i: number, now: number): Approval {
    const id = `apr_${newRoot(now - 600 + i / 100, randomBytes(ROOT_BYTES))}` as const;
    const facts = { client: 'refund-bot', owner: 'people:u_alice', subject: `people:u_${i}`, tool: 'create_refund' };
    return {
      id,
      state: 'pending',
      bind: approvalKey(id),
      client: 'refund-bot',
      key: 'k'.repeat(43),
      jkt: 'k'.repeat(43),
      subject: { kind: 'person', issuer: 'people', subject: `u_${i}`, exp: now + 3600 },
      actors: ['refund-bot'],
      resource: String(input.like.entries[0]?.body['resource']),
      tool: 'create_refund',
      digest: `sha-256:${'d'.repeat(43)}`,
      credential: 'jwt',
      bundle: String(input.like.entries[0]?.body['bundle']),
      demand: { who: ['team:payments-leads'], quorum: 1, ttlSeconds: 3600 },
      made: now,
      until: now + 3600,
      proofs: now + 3600,
      retry: { key: '', fingerprint: '' },
      votes: [],
      facts,
      sealed: keeper.seal(id, { arguments: { payment_id: `pay_${i}`, amount_minor: 4250, currency: 'EUR' }, attributes: {} }),
    };
  }
}

/** One of eight is refused; each person and each agent in turn. */
function bodies({ like, people }: ConsoleFillInput): (i: number, moment: number) => Batch<string>['entries'][number] {
  const first = like.entries[0]?.body;
  if (!first) throw new Error('no entry to make others like');
  return (i, moment) => {
    const root = newRoot(moment, randomBytes(ROOT_BYTES));
    const agent = AGENTS[i % AGENTS.length] ?? '';
    const no: JsonObject = {
      kind: 'refused',
      reason: 'policy_denied',
      code: 'refund_too_large',
      policies: ['refund-limit'],
      jti: null,
      txn: null,
    };
    const body: JsonObject = {
      ...first,
      at: Math.floor(moment),
      exchange: `exc_${root}`,
      txn: `txn_${root}`,
      jti: `tok_${root}`,
      subject: `people:u_${i % people}`,
      client: agent,
      actors: [agent],
      ...(i % 8 === 0 && no),
    };
    return { body, terms: [termOf(`exc_${root}`)] };
  };
}
