/** The kill switch: what is halted, by whom and why, and what that leaves outstanding. Undo is an act of its own; nothing is taken back from the ledger. */
import type { Bundles } from '../bundle/bundle.ts';
import { HALT_TERM, HALTS, type HaltScope, haltKey } from '../decide/halts.ts';
import { type Result, refuse } from '../errors.ts';
import { revokedClaim } from '../mint/grant.ts';
import type { Why } from '../mint/lease.ts';
import type { Claim, Entry, EpochSeconds, World } from '../model.ts';
import { fromBody, termOf } from '../record/entry.ts';
import type { Recorder } from '../record/record.ts';
import { type Store, type Stored, takeAway } from '../store/store.ts';
import type { JsonObject } from '../wire/json.ts';
import { no, ok } from '../wire/result.ts';

/** `action`: by `txn_…`, `tok_…` or `exc_…`. */
export type RevokeScope = HaltScope | 'action';
export const SCOPES: readonly RevokeScope[] = [...HALTS, 'action'];
export interface RevokeRequest {
  readonly scope: RevokeScope;
  readonly target: string;
  /** Why, for the ledger and for whoever looks next. */
  readonly reason: string;
  readonly dryRun?: boolean;
}
/** One credential that was good a moment ago. */
export interface Outstanding {
  readonly txn: string;
  readonly kind: string;
  readonly client: string;
  readonly subject: string;
  readonly tool?: string;
  readonly resource: string;
  readonly exp: EpochSeconds;
  /**
   * `revoked`: its back end has ended it. `dies`: a signed token is out and cannot be called back; whoever asks is told no, everyone else
   * accepts it until `exp`. `unknown`: its back end has not said; it is tried again until its end.
   */
  readonly state: 'revoked' | 'dies' | 'unknown';
}
/** As served at POST /operator/revocations. */
export interface RevokeOutcome {
  readonly ok: true;
  readonly dry_run: boolean;
  readonly scope: RevokeScope;
  readonly target: string;
  readonly at: EpochSeconds;
  readonly counts: Readonly<Record<Outstanding['state'], number>>;
  /** The latest first, at most a thousand. */
  readonly outstanding: readonly Outstanding[];
}
export interface Halt {
  readonly scope: HaltScope;
  readonly target: string;
  readonly by: string;
  readonly at: EpochSeconds;
  readonly reason: string;
}
/** A person of the operator API. */
interface By {
  readonly name: string;
}
export interface Revoke {
  /** Effective for new grants on every broker of the store once this resolves. Errors: `not_found`, `state_conflict` where it stands already. */
  revoke(request: RevokeRequest, by: By): Promise<Result<RevokeOutcome>>;
  /** Errors: `not_found` where nothing is halted under this name. */
  undo(request: Omit<RevokeRequest, 'dryRun'>, by: By): Promise<Result<Halt>>;
  /** All that stand now. */
  list(): Promise<readonly Halt[]>;
}
export interface RevokeRooms {
  readonly store: Store;
  readonly world: World;
  readonly record: Recorder;
  readonly bundles: Bundles;
  readonly leases: { endOf(txn: string, why: Why): Promise<readonly Claim[]>; wake(): void };
}

const PAGE = 500;
/** No credential of ours lives longer (wire.md §3.2), and the clocks of two brokers may differ. */
const LIFE_SECONDS = 300 + 60;
const SHOWN = 1_000;
/** A back end that has not answered by then is called unknown; it is tried again all the same. */
const ANSWER_MS = 3_000;

export function createRevoke({ store, world, record, bundles, leases }: RevokeRooms): Revoke {
  async function conduct<T>(by: By, request: Omit<RevokeRequest, 'dryRun'>, step: string, work: (draft: Draft) => Promise<Result<T>>) {
    const draft = record.open('operator');
    const { scope, target, reason } = request;
    draft.note({ by: by.name, detail: `${step} ${scope}${target === '' ? '' : ` ${target}`}`, context: { step, scope, target, reason } });
    try {
      const outcome = await work(draft);
      return outcome.ok ? outcome : no(await record.refuse(draft, outcome.error));
    } catch (fault) {
      return no(await record.fault(draft, fault));
    }
  }
  type Draft = ReturnType<Recorder['open']>;

  async function halt(request: RevokeRequest & { readonly scope: HaltScope }, by: By, draft: Draft): Promise<Result<void>> {
    const { scope, target, reason } = request;
    if (!isKnown(scope, target)) return refuse('not_found', { detail: 'target' });
    const value = { scope, target, by: by.name, at: draft.now, reason };
    const claim: Claim = { key: haltKey(scope, target), version: 0, value, terms: [HALT_TERM], else: 'state_conflict' };
    return record.commit(draft, 'revoked', [claim]);
  }
  /** A misspelt name would halt nobody, and say that it did. People are their issuers' to know. */
  function isKnown(scope: HaltScope, target: string): boolean {
    const { agents, servers } = bundles.current();
    switch (scope) {
      case 'all':
        return target === '';
      case 'agent':
        return agents.byClient(target) !== undefined;
      case 'server':
        return servers.byId(target) !== undefined;
      case 'tool': {
        const [server = '', tool = ''] = target.split('/');
        return servers.byId(server)?.tools.has(tool) === true && target.split('/').length === 2;
      }
      case 'owner':
        return agents.all.some(({ owner }) => owner === target);
      case 'subject':
        return /^[a-z][a-z0-9-]{0,31}:\S{1,255}$/.test(target) || agents.byClient(target) !== undefined;
      default:
        return scope satisfies never;
    }
  }

  /** Every credential that was granted so lately that it may still be good, and is of this scope. */
  async function granted(scope: RevokeScope, target: string, now: EpochSeconds): Promise<readonly Entry[]> {
    if (scope === 'action') return (await story(target)).filter((entry) => entry.kind === 'minted' && (entry.exp ?? 0) > now);
    const found: Entry[] = [];
    for (let after: string | undefined; ; ) {
      const rows: readonly Stored[] = await store.scan({
        term: 'entry',
        limit: PAGE,
        newestFirst: true,
        ...(after !== undefined && { after }),
      });
      for (const row of rows) {
        const entry = fromBody(row.value as JsonObject);
        if (entry.at < now - LIFE_SECONDS) return found;
        if (entry.kind === 'minted' && (entry.exp ?? 0) > now && concerns(entry, scope, target)) found.push(entry);
      }
      const last = rows.at(-1);
      if (rows.length < PAGE || !last) return found;
      after = last.key;
    }
  }
  async function story(id: string): Promise<readonly Entry[]> {
    return (await store.scan({ term: termOf(id), limit: PAGE })).map((row) => fromBody(row.value as JsonObject));
  }
  function concerns(entry: Entry, scope: HaltScope, target: string): boolean {
    const agents = [entry.client, ...(entry.actors ?? [])];
    const server = bundles.current().servers.byResource(entry.resource ?? '')?.id ?? '';
    switch (scope) {
      case 'all':
        return true;
      case 'agent':
        return agents.includes(target);
      case 'owner':
        return agents.some((id) => bundles.current().agents.byClient(id ?? '')?.owner === target) || entry.owner === target;
      case 'subject':
        return entry.subject === target;
      case 'server':
        return server === target;
      case 'tool':
        return `${server}/${entry.tool}` === target;
      default:
        return scope satisfies never;
    }
  }

  /** What back ends made for these actions ends now. */
  async function endLeases(entries: readonly Entry[]): Promise<void> {
    const txns = [...new Set(entries.filter(isLeased).flatMap(({ txn }) => txn ?? []))];
    for (const txn of txns) {
      for (let tries = 0; tries < 3; tries++) {
        const claims = await leases.endOf(txn, 'revoked');
        if (claims.length === 0 || (await record.mark(record.open('operator'), claims)).ok) break;
      }
    }
    if (txns.length > 0) leases.wake();
  }
  async function tell(entries: readonly Entry[], dryRun: boolean): Promise<readonly Outstanding[]> {
    const rows = await Promise.all(
      entries.slice(0, SHOWN).map(async (entry) => rowOf(entry, isLeased(entry) ? await endOf(entry) : 'dies')),
    );
    const waits = (row: Outstanding): boolean => row.state === 'unknown';
    if (dryRun || !rows.some(waits)) return rows;
    const over = world.after(ANSWER_MS);
    while (!over.aborted) {
      const soon = world.after(100);
      await new Promise<void>((resolve) => soon.addEventListener('abort', () => resolve(), { once: true }));
      const again = await Promise.all(
        entries.slice(0, SHOWN).map(async (entry, i) => (rows[i] && waits(rows[i]) ? rowOf(entry, await endOf(entry)) : rows[i])),
      );
      rows.splice(0, rows.length, ...again.filter((row) => row !== undefined));
      if (!rows.some(waits)) break;
    }
    return rows;
  }
  async function endOf({ txn = '', jti }: Entry): Promise<Outstanding['state']> {
    const ended = (await story(txn)).findLast((entry) => entry.kind === 'ended' && entry.jti === jti);
    return ended === undefined ? 'unknown' : ended.outcome === 'dies' ? 'dies' : 'revoked';
  }

  return {
    revoke(request, by) {
      const { scope, target, dryRun = false } = request;
      const answer = async (now: EpochSeconds): Promise<Result<RevokeOutcome>> => {
        const entries = await granted(scope, target, now);
        if (!dryRun) await endLeases(entries);
        const outstanding = await tell(entries, dryRun);
        const counts = { revoked: 0, dies: 0, unknown: 0 };
        for (const { state } of outstanding) counts[state]++;
        counts.dies += Math.max(0, entries.length - outstanding.length);
        return ok({ ok: true, dry_run: dryRun, scope, target, at: now, counts, outstanding });
      };
      if (dryRun)
        return scope === 'action' || isKnown(scope, target)
          ? answer(world.now())
          : Promise.resolve(refuse('not_found', { detail: 'target' }));
      return conduct(by, request, 'revoke', async (draft) => {
        const done = scope === 'action' ? await revokeAction(target, draft) : await halt({ ...request, scope }, by, draft);
        return done.ok ? answer(draft.now) : done;
      });
    },

    undo: (request, by) =>
      conduct(by, request, 'undo', async (draft) => {
        const { scope, target } = request;
        if (scope === 'action') return refuse('not_found', { detail: 'target' });
        const key = haltKey(scope, target);
        const [found] = (await store.look([key])).found;
        if (!found) return refuse('not_found', { detail: 'target' });
        // The ledger has both acts.
        const done = await record.commit(draft, 'revoked', [takeAway(key, found.version, 'state_conflict')]);
        return done.ok ? ok(found.value as unknown as Halt) : done;
      }),

    async list() {
      const found: Stored[] = [];
      for (let after: string | undefined; ; after = found.at(-1)?.key) {
        const rows = await store.scan({ term: HALT_TERM, limit: PAGE, ...(after !== undefined && { after }) });
        found.push(...rows);
        if (rows.length < PAGE) return found.map(({ value }) => value as unknown as Halt).sort((a, b) => b.at - a.at);
      }
    },
  };

  /** One action, by any of its names: its token is inactive for whoever asks, and nothing more is made under it. */
  async function revokeAction(id: string, draft: Draft): Promise<Result<void>> {
    const minted = (await story(id)).filter((entry) => entry.kind === 'minted' && entry.jti !== undefined);
    const [first] = minted;
    if (!first) return refuse('not_found', { detail: 'target' });
    const { txn, client, subject, resource, tool } = first;
    draft.note({
      ...(txn && { txn }),
      ...(client && { client }),
      ...(subject && { subject }),
      ...(resource && { resource }),
      ...(tool && { tool }),
    });
    const claims = minted.map((entry) =>
      revokedClaim({ jti: entry.jti ?? '', txn: entry.txn ?? '', aud: entry.resource ?? '', exp: entry.exp ?? draft.now }),
    );
    return record.commit(draft, 'revoked', claims);
  }
}

const isLeased = ({ credential }: Entry): boolean => credential !== undefined && credential !== 'jwt';
const rowOf = ({ txn, credential, client, subject, tool, resource, exp }: Entry, state: Outstanding['state']): Outstanding => ({
  txn: txn ?? '',
  kind: credential ?? 'jwt',
  client: client ?? '',
  subject: subject ?? '',
  ...(tool !== undefined && { tool }),
  resource: resource ?? '',
  exp: exp ?? 0,
  state,
});
