import { link } from './chain.ts';
import { type Chains, type Kept, sealAll } from './store-redis-chain.ts';
import type { Line } from './store-redis-line.ts';
import { type Names, wordsOf } from './store-redis-words.ts';

/** Together in one call. */
const MOST = 100;

/** What a chain had come to when its server may have lost its end. */
export interface Left {
  readonly chain: string;
  /** The latest entries that were answered for. */
  readonly kept: readonly Kept[];
  /** Found when it is looked for: those that are not there, and the hash that they stand behind. */
  lost?: { readonly from: string; readonly entries: readonly Kept[] };
}

/**
 * Puts back what a server has lost of a chain: the same entries in the same order, so that their hashes are those that were noted, under
 * new numbers. Whatever happens on the way, called again it goes on where it was. Throws StoreFault.
 */
export async function putBack(
  on: { readonly line: Line; readonly names: Names; readonly chains: Chains; readonly now: () => number },
  left: Left,
): Promise<void> {
  const { line, names, chains } = on;
  const { sealed, closed, waiting } = await sealAll(chains, left.chain);
  if (waiting.length > 0) return; // an entry is gone that stands in the middle: nothing can be linked behind it
  // What is left there is what stood there once, under the numbers of then.
  left.lost ??= { from: sealed.hash, entries: left.kept.filter(({ seq }) => seq > sealed.seq) };
  const rest = behind(left.lost.from, sealed.hash, left.lost.entries);
  for (let i = 0; i < rest.length && !closed; i += MOST) {
    const entries = rest.slice(i, i + MOST);
    const batch = { at: Math.floor(on.now()), notAfter: Number.MAX_SAFE_INTEGER, claims: [], entries };
    const { keys, args } = wordsOf(batch, left.chain, names);
    const reply = await line.ask('commit', keys, args);
    if (reply[0] !== 'ok') return;
    line.learn(Number(reply[1]));
  }
  await sealAll(chains, left.chain);
  await line.ask('close', [names.meta, names.the(`chain:${left.chain}`)], []);
}
/** Those of the lost entries that do not stand there yet. */
function behind(from: string, head: string, lost: readonly Kept[]): readonly Kept[] {
  let hash = from;
  if (hash === head) return lost;
  for (const [i, { body }] of lost.entries()) {
    hash = link(hash, body);
    if (hash === head) return lost.slice(i + 1);
  }
  return [];
}
