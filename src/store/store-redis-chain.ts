import { type Head, link, START } from './chain.ts';
import type { Packed } from './pack.ts';
import type { Line } from './store-redis-line.ts';

/** Together in one call. */
const MOST = 500;
/** So many of the latest entries stay here, for a server that loses what it has answered. */
const KEPT = 10_000;

interface Unsealed {
  readonly seq: number;
  readonly body: string;
}
export interface Kept extends Unsealed {
  readonly terms: readonly string[];
  /** What the batch of this entry wrote beside it and what would be put back (store-redis-recover.ts), told with the first of its entries. */
  readonly claims: Packed['claims'];
}
/** Where a chain stands in Redis. */
export interface Standing {
  readonly sealed: Head;
  readonly closed: boolean;
  readonly waiting: readonly (Unsealed & { readonly at: number })[];
}
export interface Chains {
  standing(chain: string): Promise<Standing>;
  /** Seals the next entries of a chain. False: it stands elsewhere by now. */
  seal(chain: string, from: Head, waiting: readonly Unsealed[]): Promise<Head | undefined>;
}

export function chainsOf(line: Pick<Line, 'ask'>, tag: string): Chains {
  return {
    async standing(chain) {
      const reply = await line.ask('tail', [`${tag}:meta`, `${tag}:log`, `${tag}:chain:${chain}`, `${tag}:tail:${chain}`], [MOST]);
      const waiting = [];
      for (let i = 4; i < reply.length; i += 3) {
        waiting.push({ seq: Number(reply[i]), at: Number(reply[i + 1]), body: String(reply[i + 2]) });
      }
      const sealed = reply[1] === 0 ? START : { seq: Number(reply[1]), hash: String(reply[2]) };
      return { sealed, closed: reply[3] !== '', waiting };
    },
    async seal(chain, from, waiting) {
      let head = from;
      const hashes: (string | number)[] = [];
      for (const { seq, body } of waiting) {
        head = { seq, hash: link(head.hash, body) };
        hashes.push(head.seq, head.hash);
      }
      const keys = [`${tag}:meta`, `${tag}:chain:${chain}`, `${tag}:tail:${chain}`, `${tag}:h:${chain}`];
      const reply = await line.ask('seal', keys, [from.seq, from.hash, ...hashes]);
      return reply[0] === 'ok' ? head : undefined;
    },
  };
}

/**
 * Seals whatever waits in a chain, whoever wrote it: the hashes follow from what stands there, so that two who do it do the same. Stops at an
 * entry that is gone.
 */
export async function sealAll(chains: Chains, chain: string): Promise<Standing> {
  for (;;) {
    const standing = await chains.standing(chain);
    const gone = standing.waiting.findIndex(({ body }) => body === '');
    const next = gone < 0 ? standing.waiting : standing.waiting.slice(0, gone);
    if (next.length === 0) return standing;
    await chains.seal(chain, standing.sealed, next);
  }
}

/** This broker's own chain: begun at its start, linked behind its commits, from the bodies that it sent. */
export class OwnChain {
  readonly #chains: Chains;
  readonly #newId: () => string;
  #id: string;
  #head = START;
  #waiting: Unsealed[] = [];
  /** What waits here may not be all that waits there. */
  #unsure = false;
  #sealing: Promise<void> | undefined;
  #kept: Kept[] = [];
  #broken: { readonly seq: number; readonly why: string } | undefined;

  constructor(chains: Chains, newId: () => string) {
    this.#chains = chains;
    this.#newId = newId;
    this.#id = newId();
  }
  get id(): string {
    return this.#id;
  }
  get head(): Head {
    return this.#head;
  }
  /** An entry of ours was changed or taken away before its seal, or a seal was. */
  get broken(): { readonly seq: number; readonly why: string } | undefined {
    return this.#broken;
  }
  get isWhole(): boolean {
    return this.#waiting.length === 0 && !this.#unsure;
  }
  landed(first: number, { entries, claims }: Pick<Packed, 'entries' | 'claims'>): void {
    const last = this.#waiting.at(-1)?.seq ?? this.#head.seq;
    const lasting = claims.filter((claim) => 'sum' in claim || (claim.value !== undefined && claim.issued === undefined));
    const landed = entries.map(({ body, terms }, i) => ({ seq: first + i, body, terms, claims: i === 0 ? lasting : [] }));
    if (first <= last) this.#unsure = true;
    else this.#waiting.push(...landed);
    this.#kept.push(...landed);
    if (this.#kept.length > 2 * KEPT) this.#kept.splice(0, KEPT);
  }
  /** Something of ours may have landed that nobody told of. */
  doubt(): void {
    this.#unsure = true;
  }
  /** From now on entries go to a chain of their own. */
  begin(): void {
    this.#id = this.#newId();
    this.#head = START;
    this.#waiting = [];
    this.#unsure = false;
    this.#kept = [];
  }
  /** The server may have lost the end of this chain: entries begin another, and these are the latest that were answered for. */
  leave(): { readonly chain: string; readonly kept: readonly Kept[] } {
    const left = { chain: this.#id, kept: this.#kept };
    this.begin();
    return left;
  }

  /** Resolves when all that had landed is sealed. Throws StoreFault. */
  async flush(): Promise<void> {
    while (!this.isWhole) {
      this.#sealing ??= this.#step().finally(() => {
        this.#sealing = undefined;
      });
      await this.#sealing;
    }
  }
  async #step(): Promise<void> {
    const id = this.#id;
    if (this.#unsure) return this.#ask(id);
    const next = this.#waiting.slice(0, MOST);
    let head: Head | undefined;
    try {
      head = await this.#chains.seal(id, this.#head, next);
    } catch (fault) {
      this.#unsure = true;
      throw fault;
    }
    if (this.#id !== id) return;
    if (!head) {
      this.#unsure = true;
      return;
    }
    this.#head = head;
    this.#waiting = this.#waiting.slice(next.length);
  }
  async #ask(id: string): Promise<void> {
    this.#unsure = false;
    let standing: Standing;
    try {
      standing = await this.#chains.standing(id);
    } catch (fault) {
      this.#unsure = true;
      throw fault;
    }
    if (this.#id !== id) return;
    const { sealed, waiting } = standing;
    const why = this.#contradiction(standing);
    if (why) {
      this.#broken ??= why;
      this.begin();
      return;
    }
    const last = waiting.at(-1)?.seq ?? sealed.seq;
    // What landed while the answer was on its way stands behind it.
    const rest = this.#waiting.filter(({ seq }) => seq > last);
    if (waiting.length < MOST) {
      this.#head = sealed;
      this.#waiting = [...waiting, ...rest];
      return;
    }
    this.#unsure = true;
    this.#waiting = rest;
    this.#head = (await this.#chains.seal(id, sealed, waiting)) ?? sealed;
  }
  /** Is what stands there what was sent? */
  #contradiction({ sealed, waiting }: Standing): { readonly seq: number; readonly why: string } | undefined {
    if (sealed.seq === this.#head.seq && sealed.hash !== this.#head.hash) return { seq: sealed.seq, why: FLAW.seal };
    if (sealed.seq < this.#head.seq) return { seq: this.#head.seq, why: FLAW.gone };
    const own = new Map(this.#waiting.map(({ seq, body }) => [seq, body]));
    for (const { seq, body } of waiting) {
      if (body === '') return { seq, why: FLAW.gone };
      if (own.has(seq) && own.get(seq) !== body) return { seq, why: FLAW.body };
    }
    return undefined;
  }
}
const FLAW = {
  seal: 'its hash is not the one that this broker made',
  gone: 'the server no longer has it',
  body: 'it is not what this broker wrote',
} as const;
