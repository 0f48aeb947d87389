/** What must be true after any fault: nothing answered is lost, nothing used up works again, the ledger is whole. */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { verifyLedger } from '../../scripts/verify-ledger.ts';
import type { House } from './harness.ts';
import type { Load, Sent } from './load.ts';

export interface LedgerRow {
  readonly seq: number;
  readonly kind: string;
  readonly at: number;
  readonly jti: string | null;
  readonly txn: string | null;
  readonly again: boolean | null;
  readonly detail: string | null;
  readonly reason: string | null;
  readonly bundle: string | null;
  readonly request: string | null;
  readonly tool: string | null;
  readonly code: string | null;
  readonly credential: string | null;
}
/** As the file holds it; the broker may run. */
export function readLedger(path: string): readonly LedgerRow[] {
  const db = new DatabaseSync(path, { readOnly: true, timeout: 2_000 });
  try {
    return db
      .prepare('SELECT seq, body FROM entry ORDER BY seq')
      .all()
      .map((row) => ({ ...(JSON.parse(String(row['body'])) as LedgerRow), seq: Number(row['seq']) }));
  } finally {
    db.close();
  }
}

/** Each answered grant stands in the ledger, first issued once; the chain verifies and nothing had to be repaired. Returns how many entries. */
export async function nothingLost(house: Pick<House, 'store'>, ...loads: readonly Load[]): Promise<number> {
  const rows = readLedger(house.store);
  const first = new Map<string, LedgerRow>();
  for (const row of rows) {
    if (row.kind !== 'minted' || row.jti === null || row.again === true) continue;
    assert.equal(first.get(row.jti), undefined, `${row.jti} was minted twice`);
    first.set(row.jti, row);
  }
  for (const load of loads) {
    const missing = load.grants.filter(({ jti, txn }) => first.get(jti)?.txn !== txn);
    assert.deepEqual(
      missing.map(({ jti }) => jti),
      [],
      'answered, and not in the ledger',
    );
    assert.deepEqual(load.wrong, []);
  }
  const report = await verifyLedger(house.store);
  assert.deepEqual([report.ok, report.bad, report.repairs, report.count], [true, undefined, [], rows.length]);
  return rows.length;
}

/** The other half, where nobody was killed: what the ledger says was granted, somebody was given. */
export function nothingKept(house: Pick<House, 'store'>, ...loads: readonly Load[]): void {
  const given = new Set(loads.flatMap((load) => load.grants.map(({ jti }) => jti)));
  const kept = readLedger(house.store).filter(({ kind, jti }) => kind === 'minted' && !given.has(String(jti)));
  assert.deepEqual(kept, [], 'granted, and never answered');
}

/** What was shown before is shown again, whole and in parts: always refused. `sample` of the newest grants. */
export async function nothingTwice(load: Load, sample = 8): Promise<number> {
  const used = load.used.slice(-4 * sample).filter((_, i) => i % 4 === 0);
  const again = async (sent: Sent, over: { assertion?: string; proof?: string }): Promise<string> => {
    // Under a key of its own the answer would be the first one again, which is right; as another request it must be refused.
    const { key: _, ...wish } = sent.wish;
    const outcome = await load.send(load.make(wish, over));
    return outcome.is === 'answered' ? `${outcome.answer.status} ${String(outcome.answer.body['error'])}` : outcome.is;
  };
  for (const sent of used) {
    const { assertion, proof } = sent;
    assert.equal(await again(sent, { assertion, proof }), '401 invalid_client', 'assertion and proof once more');
    assert.equal(await again(sent, { assertion }), '401 invalid_client', 'the assertion once more');
    assert.match(await again(sent, { proof }), /^400 (invalid_dpop_proof|use_dpop_nonce)$/, 'the proof once more');
  }
  // What was lost may have been granted; asked again it is granted at most now, and never after.
  for (const sent of load.lost.slice(-sample)) {
    const { assertion, proof } = sent;
    await again(sent, { assertion, proof });
    assert.equal(await again(sent, { assertion, proof }), '401 invalid_client', 'what was lost, a third time');
  }
  return used.length;
}
