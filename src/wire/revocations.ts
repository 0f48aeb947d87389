/** What tool servers are told of what no longer stands (wire.md §7): all of it each time, so that nothing that was missed stays missed. */
import { canonical, sha256 } from './digest.ts';
import { isObject, type Json, type JsonObject } from './json.ts';

/** RFC 8725 §3.11: accepted nowhere else, and nothing else here. */
export const TYP_REVOCATIONS = 'countersign-revocations+jwt';
/** An answer is for now: whoever keeps one back has nothing of it. */
export const FEED_LIFE_SECONDS = 60;
/** A question waits no longer for news. */
export const MAX_WAIT_SECONDS = 25;
/** Both ends hold this much and no more; a broker with more to tell says that it cannot, and verifiers know that they do not know. */
export const MAX_FEED_LENGTH = 1024 * 1024;
export const MAX_STANDING = 4_000;

/** What one audience must refuse. On the wire the same members; a token is `[jti, txn, until]`. */
export interface Standing {
  /** Everything: all is halted, or this server. */
  readonly all: boolean;
  /** Client ids, as `client_id` or in `act`. */
  readonly agents: readonly string[];
  /** `subjectMark` of each: who else is halted is not this server's to read. */
  readonly subjects: readonly string[];
  readonly tools: readonly string[];
  readonly tokens: readonly { readonly jti: string; readonly txn: string; readonly until: number }[];
}
export const subjectMark = (audience: string, subject: string): string => sha256(JSON.stringify([audience, subject]));

/** In order, so that the same state has one text and one digest. */
export function formatStanding({ all, agents, subjects, tools, tokens }: Standing): JsonObject {
  const sorted = tokens.map(({ jti, txn, until }): Json => [jti, txn, until]);
  return {
    all,
    agents: [...agents].sort(),
    subjects: [...subjects].sort(),
    tools: [...tools].sort(),
    tokens: sorted.sort((a, b) => (String(a) < String(b) ? -1 : 1)),
  };
}
/** What a verifier names as `held`: the same, and there is nothing to tell. */
export const standingDigest = (stands: JsonObject): string => sha256(canonical(stands));

/** Undefined where it is not exactly that: a member that is not understood may be the one that matters. */
export function readStanding(value: Json | undefined): Standing | undefined {
  if (!isObject(value)) return undefined;
  const { all, agents, subjects, tools, tokens, ...rest } = value;
  if (typeof all !== 'boolean' || Object.keys(rest).length > 0) return undefined;
  if (!isNames(agents) || !isNames(subjects) || !isNames(tools)) return undefined;
  if (!Array.isArray(tokens) || tokens.length > MAX_STANDING) return undefined;
  const read: Standing['tokens'][number][] = [];
  for (const token of tokens as readonly Json[]) {
    if (!Array.isArray(token) || token.length !== 3) return undefined;
    const [jti, txn, until] = token as readonly Json[];
    if (!isName(jti) || !isName(txn) || typeof until !== 'number') return undefined;
    read.push({ jti, txn, until });
  }
  return { all, agents, subjects, tools, tokens: read };
}
const isName = (value: Json | undefined): value is string => typeof value === 'string' && value !== '' && value.length <= 512;
const isNames = (value: Json | undefined): value is readonly string[] =>
  Array.isArray(value) && value.length <= MAX_STANDING && (value as readonly Json[]).every(isName);
