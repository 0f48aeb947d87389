/** Is what has arrived in Redis what stands in the file? Every entry, key and amount is read on both sides and compared. */
import { createHash } from 'node:crypto';
import { digestOf, verifier } from '../src/store/chain.ts';
import type { MovedEntry, MovedKey, MovedMember, Moving } from '../src/store/moving.ts';
import { type Landing, namesThere, wordsOfEntry, wordsOfKey, wordsOfMember } from '../src/store/store-redis-import.ts';
import { fieldOf, ledgerOf } from '../src/store/store-redis-ledger.ts';
import { lastSecond } from '../src/store/window.ts';

export interface Proof {
  /** Nothing was lost, nothing was changed, nothing was added. */
  readonly ok: boolean;
  /** `<seq>:<hash>`: what `verify-ledger --expect-head` takes. */
  readonly head: string;
  readonly entries: Readonly<Record<string, number>>;
  /** By the part of their name before the slash; `(unnamed)` where the file has no more than a digest. */
  readonly keys: Readonly<Record<string, number>>;
  /** Over all keys in order of name: equal on both sides. */
  readonly digest: string;
  /** Ended since they were read, and gone by themselves. */
  readonly ended: number;
  readonly torn: number;
  readonly amounts: number;
  /** Of what differs, the first few. */
  readonly differs: readonly string[];
}
export type Compared = (what: 'entries' | 'keys' | 'members', done: number, all: number) => void;
interface Work {
  readonly source: Moving;
  readonly landing: Landing;
  readonly now: () => number;
  readonly progress: Compared;
  /** Names what differs, never a value. */
  readonly differs: (what: string) => void;
}
const PAGE = 500;
const TOLD = 20;
/** What has ended stays so long in Redis (store-redis-lua.ts); a moment more, since two clocks are read. Seconds. */
const GRACE = 55;

/** `now`: epoch seconds. Throws what reading throws. */
export async function prove(source: Moving, landing: Landing, now: () => number, progress: Compared): Promise<Proof> {
  const found: string[] = [];
  const work: Work = { source, landing, now, progress, differs: (what) => void found.push(what) };
  const ledger = await proveEntries(work);
  const torn = await proveTorn(work);
  const keys = await proveKeys(work);
  const amounts = await proveMembers(work);
  await proveNothingElse(work, { terms: ledger.terms, keyTerms: keys.terms, members: amounts });
  const differs = found.length > TOLD ? [...found.slice(0, TOLD), `and ${found.length - TOLD} more`] : found;
  return {
    ok: found.length === 0,
    head: ledger.head,
    entries: ledger.kinds,
    keys: keys.kinds,
    digest: keys.digest,
    ended: keys.ended,
    torn,
    amounts,
    differs,
  };
}

const count = (kinds: Map<string, number>, kind: string): void => void kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
async function proveEntries({ source, landing, progress, differs }: Work) {
  const { client, names, chain } = landing;
  const kinds = new Map<string, number>();
  const there = new Map<string, number>();
  const links = verifier(undefined, (body) => count(there, String(body['kind'])));
  let [after, done, terms] = [0, 0, 0];
  for (;;) {
    const page: readonly MovedEntry[] = source.entries(after, PAGE);
    const last = page.at(-1)?.seq ?? source.head.seq;
    const range = [`(${after}-0`, page.length > 0 ? `${last}-0` : '+'] as const;
    const [rows, hashes] = await Promise.all([client.xrange(names.log, ...range), client.xrange(names.the(`h:${chain}`), ...range)]);
    if (rows.length !== page.length) differs(`entries after ${after}: ${rows.length} of ${page.length}`);
    for (const [i, entry] of page.entries()) {
      const [row, sealed] = [rows[i], hashes[i]];
      const of = (name: string): string => (row ? fieldOf(row[1], name) : '');
      const hash = sealed?.[0] === `${entry.seq}-0` ? fieldOf(sealed[1], 'h') : '';
      const wanted = wordsOfEntry(names, entry).slice(5).join(' ');
      const same =
        row?.[0] === `${entry.seq}-0` && of('b') === entry.body && hash === entry.hash && of('c') === chain && of('t') === wanted;
      if (!same) differs(`entry ${entry.seq}`);
      const flaw = row && links.take({ seq: Number.parseInt(row[0], 10), hash, body: of('b') });
      if (flaw) differs(`entry ${flaw.seq} does not follow from the one before it`);
      count(kinds, String((JSON.parse(entry.body) as { readonly kind?: unknown }).kind));
      terms += entry.terms.length;
    }
    done += page.length;
    progress('entries', done, source.counts.entries);
    if (page.length === 0) break;
    after = last;
  }
  if (links.head.seq !== source.head.seq || links.head.hash !== source.head.hash) differs('the head of the ledger');
  const order = (of: Map<string, number>): Record<string, number> => Object.fromEntries([...of].sort(([a], [b]) => a.localeCompare(b)));
  if (JSON.stringify(order(kinds)) !== JSON.stringify(order(there))) differs('how many entries there are of each kind');
  return { head: `${links.head.seq}:${links.head.hash}`, kinds: order(there), terms };
}
async function proveTorn({ source, landing, differs }: Work): Promise<number> {
  const { client, tag } = landing;
  const there = await ledgerOf(client, tag).torn(0, Number.MAX_SAFE_INTEGER);
  if (digestOf(there) !== digestOf(source.torn(0, Number.MAX_SAFE_INTEGER))) differs('the rows that repairs set aside');
  return there.length;
}

async function proveKeys({ source, landing, now, progress, differs }: Work) {
  const { names } = landing;
  const [ours, theirs] = [createHash('sha256'), createHash('sha256')];
  const kinds = new Map<string, number>();
  let [after, done, held, ended] = ['', 0, 0, 0];
  for (;;) {
    const page: readonly MovedKey[] = source.keys(after, PAGE);
    if (page.length === 0) break;
    const reply = await landing.call('carried', [names.meta, ...page.map(({ name }) => names.the(`k:${name}`))], []);
    for (const [i, key] of page.entries()) {
      const [version, until, value, name, terms] = reply.slice(1 + 5 * i, 6 + 5 * i).map(String);
      if (version === '0' && key.until !== undefined && key.until + GRACE < now()) {
        ended++;
        continue;
      }
      const wanted = wordsOfKey(names, key);
      const mine = JSON.stringify(
        [key.name, wanted[2], wanted[3], wanted[4], key.terms.length > 0 ? wanted[5] : '', wanted.slice(7).join(' ')].map(String),
      );
      const there = JSON.stringify([key.name, version, until, value, key.terms.length > 0 ? name : '', terms]);
      if (mine !== there) differs(`key ${key.name}`);
      ours.update(mine);
      theirs.update(there);
      held += key.terms.length;
      count(kinds, key.key === undefined ? '(unnamed)' : key.key.slice(0, Math.max(0, key.key.indexOf('/'))) || key.key);
    }
    done += page.length;
    progress('keys', done, source.counts.keys);
    after = page.at(-1)?.name ?? after;
  }
  const [mine, digest] = [ours.digest('base64url'), theirs.digest('base64url')];
  if (mine !== digest) differs('the digest of all keys');
  return { kinds: Object.fromEntries([...kinds].sort(([a], [b]) => a.localeCompare(b))), digest: `sha-256:${digest}`, terms: held, ended };
}

async function proveMembers({ source, landing, now, progress, differs }: Work): Promise<number> {
  const { names } = landing;
  const at = Math.floor(now());
  const windows = source.windows(at);
  const totals = new Map(windows.map(({ sum, span }) => [JSON.stringify([sum, span]), 0]));
  const spans = new Map<string, number[]>();
  for (const { sum, span } of windows) spans.set(sum, [...(spans.get(sum) ?? []), span]);
  let after: readonly [string, string] = ['', ''];
  let [done, found] = [0, 0];
  for (;;) {
    const page: readonly MovedMember[] = source.members(after, PAGE);
    if (page.length === 0) break;
    for (const [sum, members] of Map.groupBy(page, (member) => member.sum)) {
      const words = members.map((member) => wordsOfMember(names, member));
      const reply = await landing.call(
        'members',
        [names.meta, names.of('n', sum)],
        words.map((one) => String(one[2])),
      );
      for (const [i, member] of members.entries()) {
        // Redis ends a sum by itself, long after the last of its amounts has.
        if (reply[1 + i] === '' && member.ends + GRACE < now()) continue;
        found++;
        const [amount, begun, until, ends] = String(reply[1 + i])
          .split(' ')
          .map(Number);
        const same = amount === member.amount && begun === member.at && until === (member.until ?? -1) && ends === member.ends;
        if (!same) differs(`an amount of the sum ${names.of('n', sum)}`);
        for (const span of spans.get(sum) ?? []) {
          const key = JSON.stringify([sum, span]);
          if (same && lastSecond(member.at, member.until, span) >= at) totals.set(key, (totals.get(key) ?? 0) + member.amount);
        }
      }
    }
    done += page.length;
    progress('members', done, source.counts.members);
    const last = page.at(-1);
    if (last) after = [last.sum, last.id];
  }
  // Fractions add up as doubles do, in whatever order.
  for (const { sum, span, total } of windows) {
    const there = totals.get(JSON.stringify([sum, span])) ?? 0;
    if (Math.abs(there - total) > 1e-6 * Math.max(1, Math.abs(total))) differs(`what a sum comes to in a window of ${span} s`);
  }
  return found;
}

/** All that was carried is there; then whatever else there is can only be something else's, but for what an earlier try had carried and has ended since. */
async function proveNothingElse(
  work: Work,
  carried: { readonly terms: number; readonly keyTerms: number; readonly members: number },
): Promise<void> {
  const { client, tag } = work.landing;
  const known = new Set(['k', 't', 'n', 'x', 'h', 'meta', 'move', 'log', 'torn', 'ends', 'chains', 'chain']);
  const kindOf = (name: string): string => name.slice(tag.length + 1).split(':')[0] ?? '';
  const there = { members: 0, terms: 0, keyTerms: 0 };
  // A name may be told more than once.
  const seen = new Set<string>();
  let stale = 0;
  for await (const found of namesThere(client, tag)) {
    const fresh = found.filter((name) => !seen.has(name));
    for (const name of fresh) {
      if (!known.has(kindOf(name))) work.differs(`${name} is nothing that was carried`);
      if (kindOf(name) === 'n' || kindOf(name) === 't') seen.add(name);
    }
    stale += await proveStale(
      work,
      fresh.filter((name) => kindOf(name) === 'k'),
    );
    const sizes = client.pipeline();
    const sums = fresh.filter((name) => kindOf(name) === 'n');
    const lists = fresh.filter((name) => kindOf(name) === 't');
    for (const name of sums) sizes.hlen(name);
    for (const name of lists) sizes.zlexcount(name, '[entry/', '[entry0').zcard(name);
    const answers = ((await sizes.exec()) ?? []).map(([fault, size]) => {
      if (fault) throw fault;
      return Number(size);
    });
    for (const size of answers.slice(0, sums.length)) there.members += size;
    for (let i = sums.length; i < answers.length; i += 2) {
      const [entries = 0, all = 0] = answers.slice(i, i + 2);
      there.terms += entries;
      there.keyTerms += all - entries;
    }
  }
  if (there.members !== carried.members) work.differs(`${there.members} amounts, not ${carried.members}`);
  if (there.terms !== carried.terms) work.differs(`${there.terms} terms of entries, not ${carried.terms}`);
  if (there.keyTerms !== carried.keyTerms + stale) work.differs(`${there.keyTerms} terms of keys, not ${carried.keyTerms + stale}`);
}
/** Keys that the file has no more: each must have ended. Answers how many terms they stand under. */
async function proveStale({ source, landing, now, differs }: Work, found: readonly string[]): Promise<number> {
  const { names } = landing;
  const others = found.filter((name) => !source.hasKey(name.slice(names.the('k:').length)));
  if (others.length === 0) return 0;
  const reply = (await landing.call('carried', [names.meta, ...others], [])).slice(1).map(String);
  let terms = 0;
  for (const [i, name] of others.entries()) {
    const [version = '', until = '', , , under = ''] = reply.slice(5 * i, 5 * i + 5);
    if (version !== '0' && !(/^\d+$/.test(until) && Number(until) < now() - GRACE)) differs(`${name} is no key that was carried`);
    terms += under.split(' ').filter((term) => term !== '').length;
  }
  return terms;
}
