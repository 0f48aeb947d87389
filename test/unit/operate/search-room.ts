/** A ledger that is a list, and an index that follows it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PAGE, type Query, type Search, type SourceRow } from '../../../src/operate/search.ts';
import { keepIndex } from '../../../src/operate/search-sqlite-keep.ts';

export const START = 1_795_176_000;
export const agents: readonly string[] = ['refund-bot', 'triage-bot', 'nightly-report'];
export const tools: readonly string[] = ['create_refund', 'list_payments'];
export const rows = (bodies: readonly object[], first = 1): readonly SourceRow[] => bodies.map((one, i) => ({ seq: first + i, body: one }));

const folders: string[] = [];
export const newFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-search-'));
  folders.push(folder);
  return folder;
};
export const open: Search[] = [];
/** After each test. */
export async function clear(): Promise<void> {
  for (const search of open.splice(0)) await search.close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
}
export const sourceOf = (ledger: readonly SourceRow[]) => async (after: number) => ledger.filter(({ seq }) => seq > after).slice(0, PAGE);
export function keep(path: string, ledger: readonly SourceRow[], onRemade: () => void = () => undefined): Search {
  const search = keepIndex({
    path,
    source: sourceOf(ledger),
    rest: (ms) => new Promise((resolve) => setTimeout(resolve, Math.min(ms, 20)).unref()),
    onRemade,
  });
  open.push(search);
  return search;
}
export async function whole(search: Search): Promise<number> {
  for (;;) {
    const { through, whole: done } = await search.indexed();
    if (done) return through;
  }
}
/** More than one segment, and each entry another's like. */
export const many = (count: number): readonly SourceRow[] =>
  rows(
    Array.from({ length: count }, (_, i) => ({
      at: START + Math.floor(i / 50),
      exchange: `exc_${i}`,
      kind: i % 7 === 0 ? 'refused' : 'minted',
      client: agents[i % 3] ?? '',
      subject: `people:u_${i % 1_000}`,
      tool: tools[i % 2] ?? '',
      resource: 'https://a.example/mcp',
      ...(i % 7 === 0 && { reason: 'policy_denied', code: 'refund_too_large' }),
      policies: ['support-refunds'],
    })),
  );
export const named = (subject: string, limit = 50): Query => ({ wanted: [{ fields: ['subject'], values: [subject] }], limit });
