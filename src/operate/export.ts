/** Entries taken away: as they stand in the ledger, with what it takes to check them. That somebody took them is an entry itself. */
import { createHash } from 'node:crypto';
import type { Result } from '../errors.ts';
import type { Id, World } from '../model.ts';
import type { Recorder } from '../record/record.ts';
import { link } from '../store/chain.ts';
import { canonical } from '../wire/digest.ts';
import { isObject, type JsonObject } from '../wire/json.ts';
import { ok } from '../wire/result.ts';
import type { Asked, Entries } from './entries.ts';
import { seqOf } from './entries.ts';

export interface Export {
  readonly id: Id<'exc'>;
  /** Lines of JSON: what was asked for, each entry, and an end that counts them. Without that end it is not whole. */
  readonly lines: AsyncGenerator<string>;
}
/** Durable before the first line is given: who, and what they asked for. */
export type TakeOut = (asked: Asked, by: { readonly name: string }) => Promise<Result<Export>>;

export function createExport({
  entries,
  record,
  world,
}: {
  readonly entries: Entries;
  readonly record: Recorder;
  readonly world: Pick<World, 'now'>;
}): TakeOut {
  return async (asked, by) => {
    const filter = { ...asked } as JsonObject;
    const through = await entries.head();
    const draft = record.open('operator');
    draft.note({ by: by.name, detail: 'export', context: { filter, through } });
    const done = await record.commit(draft, 'export', []);
    if (!done.ok) return done;
    return ok({
      id: draft.id,
      lines: lines({ export: draft.id, by: by.name, at: world.now(), through, filter }, entries.each(asked, through)),
    });
  };
}

async function* lines(head: JsonObject, rows: ReturnType<Entries['each']>): AsyncGenerator<string> {
  const digest = createHash('sha256');
  let count = 0;
  const line = (text: string): string => {
    digest.update(`${text}\n`);
    return `${text}\n`;
  };
  yield line(JSON.stringify(head));
  for await (const { row, before } of rows) {
    count++;
    // The very text that was hashed, so that whoever has it needs nothing of ours to check it.
    const body = canonical(isObject(row.value) ? row.value : {});
    // Where several brokers write, the entry before it in the ledger may be of another's chain.
    const previous = link(before, body) === row.hash ? before : null;
    yield line(`{"seq":${seqOf(row.key)},"hash":${JSON.stringify(row.hash ?? '')},"previous":${JSON.stringify(previous)},"body":${body}}`);
  }
  yield `${JSON.stringify({ end: { entries: count, digest: `sha-256:${digest.digest('base64url')}` } })}\n`;
}
