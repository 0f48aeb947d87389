import type { Redis } from 'ioredis';
import type { ChainHead, ChainRow, Floor, Ledger } from './chains.ts';
import { type Access, connect } from './store-redis-connect.ts';

const PAGE = 1_000;

/** The ledger as it stands, read without our functions and without a write: of a server, a replica or a restored copy. */
export interface OpenLedger extends Ledger {
  close(): void;
}
/** Throws what the client throws when it cannot be reached. */
export async function openLedger(access: Omit<Access, 'tag'> & { readonly name?: string }): Promise<OpenLedger> {
  const tag = `{${access.name ?? 'countersign'}}`;
  const client = await connect({ ...access, tag });
  return { ...ledgerOf(client, tag), close: () => client.disconnect() };
}

/** Of a stream's entry; empty where it has no such field. */
export const fieldOf = (fields: readonly string[], name: string): string =>
  fields[fields.findIndex((field, i) => i % 2 === 0 && field === name) + 1] ?? '';

export function ledgerOf(client: Pick<Redis, 'xrange' | 'zrange' | 'hmget' | 'hgetall' | 'multi'>, tag: string): Ledger {
  const hashAt = async (chain: string, seq: number): Promise<string | undefined> => {
    const [row] = await client.xrange(`${tag}:h:${chain}`, `${seq}-0`, `${seq}-0`);
    return row?.[1][1];
  };
  return {
    hashAt,
    async rows(after) {
      const found = await client.xrange(`${tag}:log`, `(${after}-0`, '+', 'COUNT', PAGE);
      const hashes = client.multi();
      const read = found.map(([id, fields]) => {
        const seq = Number.parseInt(id, 10);
        const chain = fieldOf(fields, 'c');
        hashes.xrange(`${tag}:h:${chain}`, `${seq}-0`, `${seq}-0`);
        return { seq, chain, body: fieldOf(fields, 'b') };
      });
      const answers = (await hashes.exec()) ?? [];
      return read.map((row, i): ChainRow => {
        const [fault, answer] = answers[i] ?? [new Error('no answer')];
        if (fault) throw fault;
        return { ...row, hash: (answer as readonly [string, readonly string[]][])[0]?.[1][1] ?? '' };
      });
    },
    async torn(first, last) {
      const found = await client.xrange(`${tag}:torn`, `${first}-0`, `${last}-0`);
      return found.map(([id, fields]) => ({ seq: Number.parseInt(id, 10), hash: fieldOf(fields, 'h'), body: fieldOf(fields, 'b') }));
    },
    async heads() {
      const heads: ChainHead[] = [];
      for (const chain of await client.zrange(`${tag}:chains`, '0', '-1')) {
        const [seq, hash] = await client.hmget(`${tag}:chain:${chain}`, 'seq', 'hash');
        if (seq && hash) heads.push({ chain, seq: Number(seq), hash });
      }
      return heads;
    },
    async floor(): Promise<Floor | undefined> {
      const { seq, ...rest } = await client.hgetall(`${tag}:floor`);
      if (seq === undefined) return undefined;
      const heads = Object.entries(rest).map(([name, text]): ChainHead => {
        const [at = '', hash = ''] = text.split(' ');
        return { chain: name.slice('c:'.length), seq: Number(at), hash };
      });
      return { seq: Number(seq), heads };
    },
  };
}
