/** Who has logged in: sealed keys of the store, so that they hold on every broker of it, and ending one ends it everywhere. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { haltKey } from '../decide/halts.ts';
import { type Result, Unavailable } from '../errors.ts';
import type { Secret } from '../keys/secret.ts';
import type { Claim, Draft, EpochSeconds, World } from '../model.ts';
import type { Role } from '../operate/operator.ts';
import type { Recorder } from '../record/record.ts';
import { collection } from '../store/collection.ts';
import { type Store, takeAway } from '../store/store.ts';
import { ok } from '../wire/result.ts';
import { notOurs } from './sealed.ts';

/** As the issuer named them at login: what changes there counts at the next one. */
export interface Visitor {
  /** `<issuer id>:<sub>`, as in the ledger; `local:<system user>` through a one-time link. */
  readonly name: string;
  /** What they are called: shown, never trusted. */
  readonly display: string;
  readonly roles: readonly Role[];
  /** `team:<value>`. */
  readonly teams: readonly string[];
}
interface Kept extends Visitor {
  readonly seen: EpochSeconds;
  readonly ends: EpochSeconds;
}
export interface Session extends Visitor {
  /** What the store knows it by; the browser alone has what it is the digest of. */
  readonly digest: string;
  readonly ends: EpochSeconds;
}
export interface Begun {
  /** What the browser keeps, and nobody else. */
  readonly secret: string;
  readonly since: EpochSeconds;
  readonly ends: EpochSeconds;
}
export interface Sessions {
  /** A new one, whatever was there before; its entry is the draft. Errors: the `else` of a claim that fails. */
  begin(visitor: Visitor, draft: Draft, claims?: readonly Claim[]): Promise<Result<Begun>>;
  /** Undefined: none, ended, forged, or of a person who is halted. What a page asks by itself (`attended` false) does not prolong it. */
  find(secret: string | undefined, use?: { readonly attended: boolean }): Promise<Session | undefined>;
  /** Still as it was, by its digest: for what outlasts a request. */
  stands(digest: string): Promise<boolean>;
  /** This one, or all of this person; one entry. */
  end(session: Session, how: 'this' | 'all'): Promise<void>;
  /** What the page says back with every unsafe request. */
  pledge(session: Pick<Session, 'digest'>): string;
  isPledge(session: Pick<Session, 'digest'>, pledge: unknown): boolean;
}
export interface SessionRooms {
  readonly store: Store;
  readonly world: World;
  readonly record: Recorder;
  readonly secret: Secret;
  readonly sessionSeconds: number;
  readonly idleSeconds: number;
}
/** 256 bits. */
const SECRET_BYTES = 32;
const FORM = /^[A-Za-z0-9_-]{43}$/;
/** Of one person, when all of theirs end. */
const MOST = 1_000;
/** One that is used at this very moment has been written anew. */
const TRIES = 5;
const SESSION_PREFIX = 'session/';
const termOf = (name: string): string => `session-of/${name}`;
export const digestOf = (secret: string): string => createHash('sha256').update(secret).digest('base64url');

export function createSessions(rooms: SessionRooms): Sessions {
  const { store, world, record, secret, sessionSeconds, idleSeconds } = rooms;
  const kept = collection<Kept>(store, 'session', secret);
  const untilOf = ({ seen, ends }: Kept): EpochSeconds => Math.min(ends, seen + idleSeconds);
  /** A write a minute is enough to know that somebody is there. */
  const stale = Math.min(60, Math.floor(idleSeconds / 4));

  async function read(digest: string): Promise<{ readonly value: Kept; readonly version: number } | undefined> {
    const found = await kept.get(digest).catch(notOurs);
    return found && untilOf(found.value) > world.now() ? found : undefined;
  }
  const put = (digest: string, value: Kept, version: number): Claim =>
    kept.put(digest, value, version, 'state_conflict', { until: untilOf(value), terms: [termOf(value.name)] });
  const pledge = ({ digest }: Pick<Session, 'digest'>): string => secret.mac('console', `pledge ${digest}`);

  return {
    async begin({ name, display, roles, teams }, draft, claims = []) {
      const fresh = Buffer.from(world.random(SECRET_BYTES)).toString('base64url');
      const now = world.now();
      const value: Kept = { name, display, roles, teams, seen: now, ends: now + sessionSeconds };
      draft.note({ by: name, outcome: 'begun', exp: value.ends });
      const done = await record.commit(draft, 'session', [...claims, put(digestOf(fresh), value, 0)]);
      return done.ok ? ok({ secret: fresh, since: now, ends: value.ends }) : done;
    },
    async find(presented, { attended } = { attended: true }) {
      if (presented === undefined || !FORM.test(presented)) return undefined;
      const digest = digestOf(presented);
      const found = await read(digest);
      if (!found) return undefined;
      const { name, display, roles, teams, seen, ends } = found.value;
      if ((await store.look([haltKey('subject', name)])).found[0]) return undefined;
      const now = world.now();
      // Somebody else who says so at the same moment has said it for both.
      if (attended && now - seen >= stale)
        await record.mark(record.open('console'), [put(digest, { ...found.value, seen: now }, found.version)]);
      return { digest, name, display, roles, teams, ends };
    },
    async stands(digest) {
      const found = await read(digest);
      return found !== undefined && (await store.look([haltKey('subject', found.value.name)])).found[0] === undefined;
    },
    async end({ digest, name }, how) {
      for (let left = TRIES; left > 0; left--) {
        const draft = record.open('console');
        draft.note({ by: name, outcome: 'ended', detail: how });
        const rows = how === 'all' ? await store.scan({ term: termOf(name), limit: MOST }) : [];
        const gone: Claim[] = [];
        for (const one of new Set([digest, ...rows.map((row) => row.key.slice(SESSION_PREFIX.length))])) {
          const found = await read(one);
          if (found) gone.push(takeAway(SESSION_PREFIX + one, found.version, 'state_conflict'));
        }
        if ((await record.commit(draft, 'session', gone)).ok) return;
      }
      throw new Unavailable('session');
    },
    pledge,
    isPledge(session, presented) {
      const right = Buffer.from(pledge(session));
      const given = Buffer.from(typeof presented === 'string' ? presented : '');
      return given.length === right.length && timingSafeEqual(given, right);
    },
  };
}
