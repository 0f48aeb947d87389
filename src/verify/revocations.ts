/** What the broker says no longer stands (wire.md §7), followed all the time: a revocation is known here within a second, and so is not knowing. */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { type Claims, checkToken, type KeySource, SKEW_SECONDS } from '../wire/jws.ts';
import {
  FEED_LIFE_SECONDS,
  MAX_FEED_LENGTH,
  MAX_WAIT_SECONDS,
  readStanding,
  standingDigest,
  subjectMark,
  TYP_REVOCATIONS,
} from '../wire/revocations.ts';
import { actorsOf } from './action.ts';
import { asClient, type ClientOptions } from './assertion.ts';
import { issuerKeys } from './broker-keys.ts';
import { FORM, outgoing } from './outgoing.ts';
import { patient } from './patient.ts';

export interface RevocationsOptions extends ClientOptions {
  /** The broker's issuer; `<issuer>/revocations` is asked, and its keys sign the answers. */
  readonly issuer: string;
  /** This server's resource URI, as given to the verifier. */
  readonly resource: string;
  /** Without an answer for longer than this, tools are refused that are not `readOnly`. 30 unless told; 3 to 600. */
  readonly maxStaleSeconds?: number;
  /** Tools without effect: they go on while nobody knows what was revoked. What is known to be revoked is refused there too. */
  readonly readOnly?: readonly string[];
  /** By default the issuer's metadata names them; the verifier uses the same. */
  readonly keys?: KeySource;
  /** Epoch seconds. */
  readonly now?: () => number;
  /** In place of our own way out, which keeps no process alive. */
  readonly fetch?: typeof fetch;
}
export interface Revocations {
  readonly issuer: string;
  readonly resource: string;
  readonly keys: KeySource;
  /**
   * May this token still be used for this tool (left out: for listing)? `stale`: nobody here can know. Until the first question has its end it
   * waits for that, two seconds at most. Tokens of other issuers stand.
   */
  check(claims: Claims, tool?: string): Promise<'stands' | 'revoked' | 'stale'>;
  /** `seq`: of the last answer. `ageSeconds`: since it, absent before the first. `failures`: in a row. */
  readonly status: { readonly seq: number; readonly ageSeconds?: number; readonly isStale: boolean; readonly failures: number };
  /** Stops asking. What is known grows stale. */
  close(): Promise<void>;
}
interface Known {
  readonly digest: string;
  readonly all: boolean;
  readonly agents: ReadonlySet<string>;
  readonly subjects: ReadonlySet<string>;
  readonly tools: ReadonlySet<string>;
  /** By `jti` and by `txn`: one token revoked is its action revoked. */
  readonly tokens: ReadonlySet<string>;
}

const FIRST_ANSWER_MS = 2_000;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5_000;
/** An answer without news that came sooner: the broker lets nobody wait now. */
const SOON_MS = 500;
const LATE_MS = 5_000;

/** Begins to ask at once. @throws TypeError naming what is wrong with the options, no values. */
export function followRevocations(options: RevocationsOptions): Revocations {
  const { issuer, resource, maxStaleSeconds = 30 } = options;
  if (!(maxStaleSeconds >= 3 && maxStaleSeconds <= 600)) throw new TypeError('maxStaleSeconds: must be 3 to 600');
  const now = options.now ?? (() => Math.floor(Date.now() / 1000));
  const url = `${issuer.replace(/\/$/, '')}/revocations`;
  const post = options.fetch
    ? outgoing({ url, fetch: options.fetch, maxBytes: MAX_FEED_LENGTH })
    : patient({ url, maxBytes: MAX_FEED_LENGTH });
  const keys = options.keys ?? issuerKeys(issuer, now);
  const readOnly = new Set(options.readOnly);
  // Two questions within the limit: one may be lost.
  const waitSeconds = Math.min(MAX_WAIT_SECONDS, Math.floor(maxStaleSeconds / 2));
  const closing = new AbortController();
  let known: Known | undefined;
  let seq = 0;
  let freshAt: number | undefined;
  let failures = 0;
  let asked: () => void = () => undefined;
  const first = new Promise<void>((resolve) => {
    asked = resolve;
  });

  /** Throws where it is no answer to this very question; then nothing that was known changes. */
  async function ask(): Promise<boolean> {
    const nonce = randomUUID();
    const form = new URLSearchParams({
      ...(await asClient(issuer, options, now())),
      nonce,
      wait: String(waitSeconds),
      ...(known && { after: String(seq), held: known.digest }),
    });
    const { status, text } = await post(form.toString(), FORM, { signal: closing.signal, timeoutMs: waitSeconds * 1000 + LATE_MS });
    if (status !== 200) throw new Error('the broker did not answer');
    const checked = await checkToken(text, keys, {
      typ: [TYP_REVOCATIONS],
      algs: ['ES256', 'RS256'],
      issuer,
      audience: resource,
      maxLifetimeSeconds: FEED_LIFE_SECONDS,
      maxLength: MAX_FEED_LENGTH,
      now: now(),
    });
    if (!checked.ok) throw new Error('the answer was not accepted');
    const { iat, seq: at, from, nonce: said, stands } = checked.value;
    const isAnswer = said === nonce && from === seq && typeof at === 'number' && Number.isSafeInteger(at) && at >= seq;
    const news = stands === undefined ? undefined : readStanding(stands);
    if (!isAnswer || (news === undefined && (stands !== undefined || !known))) throw new Error('the answer was not accepted');
    if (news) {
      const { all, agents, subjects, tools, tokens } = news;
      known = {
        digest: standingDigest(stands as never),
        all,
        agents: new Set(agents),
        subjects: new Set(subjects),
        tools: new Set(tools),
        tokens: new Set(tokens.flatMap(({ jti, txn }) => [jti, txn])),
      };
    }
    seq = at as number;
    // An answer that was held back on the way is as old as it says.
    freshAt = Math.min(now(), iat + SKEW_SECONDS);
    return news !== undefined;
  }
  async function loop(): Promise<void> {
    const rest = (ms: number): Promise<unknown> => pause(ms, undefined, { ref: false, signal: closing.signal }).catch(() => undefined);
    let pauseMs = FIRST_PAUSE_MS;
    while (!closing.signal.aborted) {
      const began = performance.now();
      try {
        const isNews = await ask();
        failures = 0;
        pauseMs = FIRST_PAUSE_MS;
        asked();
        if (!isNews && performance.now() - began < SOON_MS) await rest(SOON_MS);
      } catch {
        failures++;
        asked();
        // Not all replicas of a server at the same moment.
        await rest(pauseMs * (0.5 + Math.random() / 2));
        pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
      }
    }
  }
  const looping = loop();

  function isStale(): boolean {
    if (freshAt === undefined) return true;
    const age = now() - freshAt;
    return age > maxStaleSeconds || age < -SKEW_SECONDS; // a clock that went back knows nothing of age
  }
  function isRevoked({ sub, jti, txn, client_id: client, act }: Claims, tool: string | undefined): boolean {
    if (!known) return false;
    const { all, agents, subjects, tools, tokens } = known;
    if (all || tokens.has(String(jti)) || (txn !== undefined && tokens.has(String(txn)))) return true;
    if (tool !== undefined && tools.has(tool)) return true;
    if (agents.size > 0 && [String(client), ...(actorsOf(act) ?? []).map((actor) => actor.sub)].some((id) => agents.has(id))) return true;
    return subjects.size > 0 && subjects.has(subjectMark(resource, sub));
  }

  return {
    issuer,
    resource,
    keys,
    async check(claims, tool) {
      if (claims.iss !== issuer) return 'stands';
      if (!known && !closing.signal.aborted) await Promise.race([first, pause(FIRST_ANSWER_MS, undefined, { ref: false })]);
      if (isRevoked(claims, tool)) return 'revoked';
      return tool !== undefined && !readOnly.has(tool) && isStale() ? 'stale' : 'stands';
    },
    get status() {
      return { seq, ...(freshAt !== undefined && { ageSeconds: now() - freshAt }), isStale: isStale(), failures };
    },
    async close() {
      closing.abort();
      await looping;
    },
  };
}
