import { link } from './chain.ts';
import type { PackedKey, PackedSum } from './pack.ts';
import { StoreFault } from './store.ts';
import { type Chains, type Kept, sealAll } from './store-redis-chain.ts';
import type { Line } from './store-redis-line.ts';
import { lookWords, type Names, wordsOf } from './store-redis-words.ts';

/** Together in one call. */
const MOST = 100;
const TRIES = 5;

/** What a chain had come to when its server may have lost its end. */
export interface Left {
  readonly chain: string;
  /** The latest entries that were answered for. */
  readonly kept: readonly Kept[];
  /** Found when it is looked for: those that are not there, and the hash that they stand behind. */
  lost?: { readonly from: string; readonly entries: readonly Kept[] };
  /** Keys and amounts are there again. */
  restored?: boolean;
}

/**
 * Puts back what a server has lost of a chain: the same entries in the same order, so that their hashes are those that were noted, under
 * new numbers; and before them the keys and amounts that were written with them. Until it is done nothing that was lost can be granted on:
 * whatever a grant uses up must be issued after the server's memory began, and that is seconds later (`issued` in a claim).
 * Whatever happens on the way, called again it goes on where it was. Throws StoreFault.
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
  if (!left.restored) await restore(on, left.chain, left.lost.entries);
  left.restored = true;
  const rest = behind(left.lost.from, sealed.hash, left.lost.entries);
  for (let i = 0; i < rest.length && !closed; i += MOST) {
    const entries = rest.slice(i, i + MOST);
    const batch = { at: Math.floor(on.now()), notAfter: Number.MAX_SAFE_INTEGER, claims: [], entries };
    const { keys, args, absent } = wordsOf(batch, left.chain, names);
    const reply = await line.ask('commit', keys, args, absent);
    if (reply[0] !== 'ok') return;
    line.learn(Number(reply[1]));
  }
  await sealAll(chains, left.chain);
  await line.ask('close', [names.meta, names.the(`chain:${left.chain}`)], []);
}
/**
 * Revocations, halts, retries, approvals, leases, keys, budgets: the last state that this broker was answered for. What others wrote since stands:
 * a key is set where its version is less than it was, an amount counts anew from now, which is longer and never shorter. What was used up
 * once needs none of this (`issued`): older than the memory, it is refused.
 */
async function restore(on: Parameters<typeof putBack>[0], chain: string, lost: readonly Kept[]): Promise<void> {
  const keys = new Map<string, PackedKey>();
  const sums = new Map<string, PackedSum>();
  for (const { claims } of lost)
    for (const claim of claims) {
      if ('sum' in claim) sums.set(JSON.stringify([claim.sum, claim.id, claim.span]), { ...claim, limit: Number.POSITIVE_INFINITY });
      else keys.set(claim.key, claim);
    }
  for (const part of parts([...sums.values()])) await write(on, chain, part);
  for (const part of parts([...keys.values()])) {
    let tries = 0;
    // Somebody wrote one of them meanwhile: what they wrote is looked at.
    while (!(await write(on, chain, await missing(on, part)))) if (++tries === TRIES) throw new StoreFault('busy');
  }
}
/** Those that stand there as less than they were, claimed as they stand. */
async function missing({ line, names, now }: Parameters<typeof putBack>[0], written: readonly PackedKey[]): Promise<readonly PackedKey[]> {
  const { keys, args } = lookWords(
    written.map(({ key }) => key),
    [],
    names,
  );
  const reply = await line.ask('look', keys, args);
  return written.flatMap((claim, i) => {
    const version = Number(reply[1 + 2 * i]);
    const hasEnded = claim.until !== undefined && claim.until < now();
    return version > claim.version || (hasEnded && version === 0) ? [] : [{ ...claim, version, same: false }];
  });
}
/** False: one of the claims does not hold. */
async function write(
  { line, names, now }: Parameters<typeof putBack>[0],
  chain: string,
  claims: readonly (PackedKey | PackedSum)[],
): Promise<boolean> {
  if (claims.length === 0) return true;
  const { keys, args, absent } = wordsOf({ at: Math.floor(now()), notAfter: Number.MAX_SAFE_INTEGER, claims, entries: [] }, chain, names);
  const reply = await line.ask('commit', keys, args, absent);
  if (reply[0] !== 'ok') return false;
  line.learn(Number(reply[1]));
  return true;
}
function* parts<T>(all: readonly T[]): Generator<readonly T[]> {
  for (let i = 0; i < all.length; i += MOST) yield all.slice(i, i + MOST);
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
