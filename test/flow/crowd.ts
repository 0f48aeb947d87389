/** More of everything that the operator API lists than one answer holds: written as a broker writes it, 2,500 of each. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { approvalKey, createKeeper } from '../../src/approve/kept.ts';
import type { Approval } from '../../src/approve/state.ts';
import { HALT_TERM, haltKey } from '../../src/decide/halts.ts';
import { openSecret } from '../../src/keys/secret-file.ts';
import { OPEN_LEASES } from '../../src/mint/lease.ts';
import type { Claim } from '../../src/model.ts';
import { RESOURCE, type Rig } from '../support/rig.ts';
import { editBundle } from './front-door.ts';

export const MANY = 2_500;
const TOGETHER = 500;
export const hex = (i: number): string => i.toString(16).padStart(32, '0');
export const many = Array.from({ length: MANY }, (_, i) => i);

/** As a rig's `bundle`. */
export function agentsOfCrowd(folder: string): Promise<void> {
  const agents = many
    .map(
      (i) =>
        `  - { id: bot-${i}, name: Bot ${i}, owner: people:u_bob, purpose: One of many, review: 2027-06-30, identity: { issuer: https://w.example, subject: bot-${i}-app } }`,
    )
    .join('\n');
  return editBundle(folder, 'agents.yaml', 'agents:\n', `agents:\n${agents}\n`);
}
/** Approvals, halts and leases. */
export async function crowd(rig: Rig): Promise<void> {
  const keeper = createKeeper(openSecret({ file: join(rig.folder, 'key') }));
  const now = rig.now();
  await write(
    rig,
    many.map((i) => approvalClaim(i)),
  );
  await write(
    rig,
    many.map((i) => {
      const target = `people:u_${i}`;
      const value = { scope: 'subject', target, by: 'local:me', at: now - (i % 7), reason: 'a drill' };
      return { key: haltKey('subject', target), version: 0, value, terms: [HALT_TERM], else: 'state_conflict' };
    }),
  );
  await write(
    rig,
    many.map((i) => {
      const story = { tool: 'create_refund', client: 'refund-bot' };
      const value = {
        state: 'outstanding',
        kind: 'vault',
        where: 'x',
        txn: `txn_${hex(i)}`,
        exp: now + 900,
        since: now,
        next: now + 900,
        tries: 0,
        story,
      };
      return { key: `lease/lea_${hex(i)}`, version: 0, value, terms: [OPEN_LEASES], else: 'state_conflict' };
    }),
  );

  /** In three states; each third is to be confirmed by Bob. */
  function approvalClaim(i: number): Claim {
    const id = `apr_${hex(i)}` as const;
    const confirm = i % 3 === 0 ? { confirm: true as const } : {};
    const approval: Approval = {
      id,
      state: i % 5 === 4 ? 'denied' : i % 5 === 3 ? 'approved' : 'pending',
      bind: approvalKey(id),
      client: 'refund-bot',
      key: 'k'.repeat(43),
      jkt: 'k'.repeat(43),
      subject: { kind: 'person', issuer: 'people', subject: 'u_bob', exp: now + 3600 },
      actors: ['refund-bot'],
      resource: RESOURCE,
      tool: 'create_refund',
      digest: `sha-256:${'d'.repeat(43)}`,
      credential: 'jwt',
      bundle: `sha-256:${'b'.repeat(43)}`,
      demand: { who: ['team:payments-leads'], quorum: 1, ttlSeconds: 3600, ...confirm },
      made: now,
      until: now + 3600,
      proofs: now + 3600,
      retry: { key: '', fingerprint: '' },
      votes: [],
      facts: { client: 'refund-bot', subject: 'people:u_bob', tool: 'create_refund' },
      sealed: keeper.seal(id, { arguments: { payment_id: `pay_${i}` }, attributes: {} }),
    };
    return keeper.write({ version: 0, approval }, approval, 'state_conflict');
  }
}
/** At once, as a broker of this rig. */
export async function write(rig: Rig, claims: readonly Claim[]): Promise<void> {
  const at = rig.now();
  for (let from = 0; from < claims.length; from += TOGETHER)
    assert.equal(
      await rig.app.store.commit({ at, notAfter: at + 30, claims: claims.slice(from, from + TOGETHER), entries: [] }),
      undefined,
    );
}
