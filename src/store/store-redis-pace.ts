import type { JsonObject } from '../wire/json.ts';
import { type ChainHead, headsBody } from './chains.ts';
import type { Followers } from './follow.ts';
import { type Chains, type OwnChain, sealAll } from './store-redis-chain.ts';
import type { Line } from './store-redis-line.ts';
import { type Left, putBack } from './store-redis-recover.ts';
import type { Names } from './store-redis-words.ts';

/** Changes reach followers within this and a trip. */
const BEAT_MS = 150;
/** Entries wait so long for others to be sealed with. */
const SEAL_MS = 20;
const TIDY_MS = 1_000;
const TIDIED = 200;
const ORPHANS_MS = 20_000;
/** A broker that lives seals within a second. Seconds. */
const ORPHANED = 10;
/** More chains than so many are noted in the next entry. */
const NOTED = 100;

export interface Pace {
  /** Something of our chain wants to be sealed. */
  soon(): void;
  /** From this very call on, in the order of calls, changes of keys of this kind are told to followers of the prefix. */
  watch(kind: string, prefix: string): void;
  up(how: { readonly lost: boolean }): void;
  stop(): Promise<void>;
}
/** What goes on beside the answers: seals, news for followers, what has ended, chains that nobody goes on with. */
export function keepUp(on: {
  readonly line: Line;
  readonly names: Names;
  readonly chains: Chains;
  readonly own: OwnChain;
  readonly followers: Followers;
  readonly now: () => number;
  readonly noteMs: number;
  /** Entries of the store's own, like any others. Answers with the first one's number. */
  readonly append: (bodies: readonly JsonObject[]) => Promise<number>;
}): Pace {
  const { line, names, chains, own, followers, now, append } = on;
  const prefixes = new Set<string>();
  const kinds = new Set<string>();
  let watched = new Set<string>();
  /** The last change that was told. */
  let told: string | undefined;
  /** Chains whose end may be lost. */
  const left = new Set<Left>();
  let stopped = false;
  let sealing: NodeJS.Timeout | undefined;

  const quietly = (work: () => Promise<unknown>): Promise<void> =>
    work().then(
      () => undefined,
      // The next beat tries again; what is wrong shows in every answer.
      () => undefined,
    );
  /** One at a time, however slow the server is. */
  function every(milliseconds: number, work: () => Promise<unknown>): () => void {
    let busy = false;
    const timer = setInterval(() => {
      if (busy || stopped) return;
      busy = true;
      void quietly(work).then(() => {
        busy = false;
      });
    }, milliseconds);
    timer.unref();
    return () => clearInterval(timer);
  }

  async function register(kind: string): Promise<void> {
    const reply = await line.ask('watch', [names.meta], [kind]);
    watched.add(kind);
    told ??= String(reply[1]);
  }
  async function news(): Promise<void> {
    for (const kind of kinds) {
      if (watched.has(kind)) continue;
      await register(kind);
      followers.tell(prefixes); // what changed before was not written down
    }
    for (let more = told !== undefined && followers.any; more; ) {
      const [, last, gap, ...changed] = await line.ask('changes', [names.meta, names.the('changes')], [told ?? '']);
      more = changed.length > 0 && told !== String(last);
      told = String(last);
      if (gap === 1) followers.tell(prefixes);
      followers.tell(changed.map(String));
    }
  }
  async function tidy(): Promise<void> {
    for (let count = TIDIED; count === TIDIED && !stopped; ) {
      const reply = await line.ask('tidy', [names.meta, names.the('ends')], [TIDIED]);
      count = Number(reply[1]);
      line.begins(Number(reply[2]));
    }
  }
  /** What a broker left unsealed that was killed, or lost its disk and name with its machine. */
  async function orphans(): Promise<void> {
    for (const { chain, waiting, since } of await headsOf(line, names)) {
      if (chain === own.id || waiting === 0 || since > now() - ORPHANED) continue;
      await line.ask('close', [names.meta, names.the(`chain:${chain}`)], []);
      await sealAll(chains, chain);
    }
  }

  /** What the other chains have come to, as an entry of ours: whoever cuts one of them off must cut ours off too. */
  async function note(): Promise<void> {
    const heads = (await headsOf(line, names)).filter(({ chain, fresh }) => fresh && chain !== own.id).slice(0, NOTED);
    if (heads.length === 0) return;
    const chain = own.id;
    const seq = await append([headsBody(Math.floor(now()), heads)]);
    await own.flush();
    const keys = [names.meta, names.the(`chain:${chain}`), names.the(`h:${chain}`)];
    for (const head of heads) keys.push(names.the(`chain:${head.chain}`));
    await line.ask('noted', keys, [seq, ...heads.map((head) => head.seq)]);
  }
  async function recover(): Promise<void> {
    for (const one of left) {
      await putBack({ line, names, chains, now }, one);
      left.delete(one);
    }
  }

  const stops = [every(BEAT_MS, news), every(BEAT_MS, recover), every(TIDY_MS, tidy), every(ORPHANS_MS, orphans), every(on.noteMs, note)];
  void quietly(orphans);

  function soon(): void {
    if (sealing || stopped) return;
    sealing = setTimeout(() => {
      sealing = undefined;
      void quietly(() => own.flush());
    }, SEAL_MS);
    sealing.unref();
  }
  return {
    soon,
    watch(kind, prefix) {
      prefixes.add(prefix);
      if (kinds.has(kind)) return;
      kinds.add(kind);
      void quietly(() => register(kind));
    },
    up({ lost }) {
      own.doubt();
      soon();
      if (!lost) return;
      left.add(own.leave());
      watched = new Set();
      followers.tell(prefixes);
    },
    async stop() {
      stopped = true;
      for (const stop of stops) stop();
      clearTimeout(sealing);
      await quietly(async () => {
        await own.flush();
        await line.ask('close', [names.meta, names.the(`chain:${own.id}`)], []);
      });
    },
  };
}

interface Standing extends ChainHead {
  /** No other chain has noted it, and there is more to it than notes. */
  readonly fresh: boolean;
  /** Entries without a seal, and since when the first of them waits, epoch seconds. */
  readonly waiting: number;
  readonly since: number;
}
/** Every chain of the store and its last sealed entry, in the order in which they were begun. */
async function headsOf(line: Pick<Line, 'ask'>, names: Names): Promise<readonly Standing[]> {
  const heads: Standing[] = [];
  for (let from = 0; ; ) {
    const reply = await line.ask('heads', [names.meta, names.the('chains')], [from]);
    for (let i = 1; i < reply.length; i += 6) {
      const [chain, seq, hash, fresh, waiting, since] = reply.slice(i, i + 6);
      heads.push({
        chain: String(chain),
        seq: Number(seq),
        hash: String(hash),
        fresh: fresh === 1,
        waiting: Number(waiting),
        since: Number(since),
      });
    }
    if (heads.length < from + 500) return heads;
    from = heads.length;
  }
}
