/**
 * Entries taken away: as they stand in the ledger, with what it takes to check them (scripts/verify-excerpt.ts). That somebody took them is an entry
 * itself. What a filter left out between two of them breaks the chain of hashes, so the broker signs what it gave and where its ledger then ended.
 */
import { createHash } from 'node:crypto';
import type { Result } from '../errors.ts';
import type { Signer } from '../keys/signer.ts';
import type { Id, World } from '../model.ts';
import type { Recorder } from '../record/record.ts';
import { type Head, link } from '../store/chain.ts';
import { seqOf } from '../store/store.ts';
import { canonical } from '../wire/digest.ts';
import { isObject, type JsonObject } from '../wire/json.ts';
import { TYP_EXPORT } from '../wire/oauth.ts';
import { ok } from '../wire/result.ts';
import type { Asked, Entries } from './entries.ts';

export interface Export {
  readonly id: Id<'exc'>;
  /** Lines of JSON: what was asked for, each entry, and an end that counts them, signed. Without that end it is not whole. */
  readonly lines: AsyncGenerator<string>;
}
/** Durable before the first line is given: who, and what they asked for. */
export type TakeOut = (asked: Asked, by: { readonly name: string }) => Promise<Result<Export>>;

export interface ExportRooms {
  readonly issuer: string;
  readonly entries: Entries;
  readonly record: Recorder;
  readonly signer: Pick<Signer, 'sign'>;
  readonly world: Pick<World, 'now'>;
}
export function createExport({ issuer, entries, record, signer, world }: ExportRooms): TakeOut {
  return async (asked, by) => {
    const filter = { ...asked } as JsonObject;
    const last = await entries.head();
    const through = last.seq;
    const draft = record.open('operator');
    draft.note({ by: by.name, detail: 'export', context: { filter, through } });
    const done = await record.commit(draft, 'export', []);
    if (!done.ok) return done;
    return ok({
      id: draft.id,
      lines: lines(
        { export: draft.id, form: 1, issuer, by: by.name, at: world.now(), ...headOf(last), filter },
        entries.each(asked, through),
        sign,
      ),
    });

    function sign(what: JsonObject): Promise<string> {
      return signer.sign({ typ: TYP_EXPORT }, { iss: issuer, jti: draft.id, iat: world.now(), ...headOf(last), ...what });
    }
  };
}
/** Where the ledger ended; of another broker's last entry the hash may not be made yet. */
const headOf = ({ seq, hash }: Head): JsonObject => ({ through: seq, ...(hash !== '' && { head: hash }) });

async function* lines(
  head: JsonObject,
  rows: ReturnType<Entries['each']>,
  sign: (what: JsonObject) => Promise<string>,
): AsyncGenerator<string> {
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
    const previous = before.find((hash) => link(hash, body) === row.hash) ?? null;
    yield line(`{"seq":${seqOf(row.key)},"hash":${JSON.stringify(row.hash ?? '')},"previous":${JSON.stringify(previous)},"body":${body}}`);
  }
  const end = { entries: count, digest: `sha-256:${digest.digest('base64url')}` };
  yield `${JSON.stringify({ end, signed: await sign(end) })}\n`;
}
