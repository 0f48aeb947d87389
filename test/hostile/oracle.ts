/** One oracle for every hostile request: the stated answer, no credential, one entry with the real reason, no canary, and the next good request works. */
import assert from 'node:assert/strict';
import type { Answer, Asking, Rig } from '../support/rig.ts';

export interface Case {
  readonly name: string;
  readonly asking: (rig: Rig) => Asking | Promise<Asking>;
  readonly status: number;
  readonly error: string;
  /** What the ledger says; the detail too where one is named. */
  readonly reason: string;
  readonly detail?: string;
}
/** Stands in purpose, session and wherever free text goes: it may reach the ledger and nothing else. */
export const CANARY = 'canary-5f0e7c1d';

export async function judge(rig: Rig, item: Case): Promise<Answer> {
  const asking = await item.asking(rig);
  const before = await rig.count();
  const requests = rig.idp.requests;
  const answer = await rig.ask(asking);
  assert.deepEqual([answer.status, answer.body['error']], [item.status, item.error]);
  assert.equal('access_token' in answer.body, false, 'no credential in a refusal');
  assert.equal(answer.headers.get('cache-control'), 'no-store');
  const entries = (await rig.entries(before)).filter((entry) => entry.request !== 'bundle');
  assert.equal(entries.length, 1, 'exactly one entry');
  const [entry] = entries;
  assert.equal(entry?.kind === 'refused' || entry?.kind === 'faulted', true);
  assert.equal(entry?.reason, item.reason);
  if (item.detail !== undefined) assert.equal(entry?.detail, item.detail);
  assert.equal(answer.body['decision_id'], entry?.exchange);
  assert.equal(
    [answer.text, JSON.stringify([...answer.headers]), rig.log.join('')].join('').includes(CANARY),
    false,
    'no canary outside the ledger',
  );
  assert.ok(rig.idp.requests - requests <= 2, 'nobody but the configured issuer was asked');
  return answer;
}
