/** Security events that an issuer pushes (RFC 8417, RFC 8935): whose they are, and whom they are about. Knows keys and claims; may not know what follows from them. */
import { type Result, refuse } from '../errors.ts';
import type { Draft } from '../model.ts';
import { sha256 } from '../wire/digest.ts';
import { isObject, type Json, type JsonObject } from '../wire/json.ts';
import { type KeySource, peek, readJws, SKEW_SECONDS, signatureHolds } from '../wire/jws.ts';
import { ok } from '../wire/result.ts';

/** One transmitter, and whose people it may speak of. */
export interface SignalSource {
  readonly issuer: string;
  readonly audience: string;
  readonly keys: KeySource;
  /** The trusted issuer its subjects belong to. */
  readonly of: { readonly id: string; readonly issuer: string };
}
/** Somebody's sessions, credentials or standing are in doubt. */
export interface Signal {
  readonly from: string;
  /** `<issuer id>:<sub>`; absent: nothing that concerns us. */
  readonly subject?: string;
  readonly event?: keyof typeof EVENTS;
}
/** RFC 8935 §2.4, by the detail of the refusal. */
export const SIGNAL_FLAWS = {
  signal_request: 'invalid_request',
  signal_key: 'invalid_key',
  signal_issuer: 'invalid_issuer',
  signal_audience: 'invalid_audience',
} as const;
type SignalFlaw = keyof typeof SIGNAL_FLAWS;

const TYP_SECEVENT = 'secevent+jwt'; // RFC 8417 §2.3
const CAEP = 'https://schemas.openid.net/secevent/caep/event-type/';
/** CAEP 1.0 §3, and which of them are heard. */
export const EVENTS = {
  'session-revoked': () => true,
  'credential-change': () => true,
  'risk-level-change': (event: JsonObject) => String(event['current_level']).toUpperCase() === 'HIGH',
} as const;
/** A transmitter tries again for as long as this; what it has said once is remembered longer. */
const WINDOW_SECONDS = 24 * 3600;

const bad = (detail: SignalFlaw): ReturnType<typeof refuse> => refuse('request_malformed', { detail });

/**
 * One security event token, whole; spends its `jti` (`assertion_replayed`: it was heard before). Errors: `request_malformed` with a detail of
 * SIGNAL_FLAWS; `issuer_unavailable` where the transmitter's keys cannot be had.
 */
export async function readSignal(token: string, sources: ReadonlyMap<string, SignalSource>, draft: Draft): Promise<Result<Signal>> {
  const claimed = peek(token);
  if (!claimed) return bad('signal_request');
  const source = sources.get(String(claimed['iss']));
  if (!source) return bad('signal_issuer');
  const read = readJws(token, { typ: [TYP_SECEVENT] });
  if (!read.ok) return bad('signal_request');
  const { header, payload, signed, signature } = read.value;
  let key: Awaited<ReturnType<KeySource['find']>>;
  try {
    key = await source.keys.find(header['kid'] as string | undefined, header.alg, draft);
  } catch {
    return refuse('issuer_unavailable');
  }
  if (!key || !signatureHolds(header.alg, key, signed, signature)) return bad('signal_key');
  const { aud, jti, iat, events } = payload;
  if (aud !== source.audience && !(Array.isArray(aud) && aud.length === 1 && aud[0] === source.audience)) return bad('signal_audience');
  // Shared Signals 1.0 §4.1.7: neither stands in such a token, so that none is taken for another kind.
  if ('sub' in payload || 'exp' in payload) return bad('signal_request');
  if (!isName(jti) || typeof iat !== 'number' || iat > draft.now + SKEW_SECONDS || iat < draft.now - WINDOW_SECONDS)
    return bad('signal_request');
  if (!isObject(events)) return bad('signal_request');
  const named = Object.entries(events);
  const [first] = named;
  // RFC 8417 §2.2: several would be of one event; CAEP has one.
  if (!first || named.length > 1 || !isObject(first[1])) return bad('signal_request');
  const [uri, event] = first as [string, JsonObject];
  const name = uri.startsWith(CAEP) ? uri.slice(CAEP.length) : '';
  const heard = isEvent(name) && EVENTS[name](event);
  const subject = heard ? subjectOf(payload['sub_id'], source) : undefined;
  if (heard && subject === undefined) return bad('signal_request');
  draft.spend({
    once: `signal/${sha256(JSON.stringify([source.issuer, jti]))}`,
    // Heard by a store whose memory began later: then its halts were lost too, and hearing it again is right.
    issued: draft.now,
    until: draft.now + 2 * WINDOW_SECONDS,
    else: 'assertion_replayed',
  });
  return ok({ from: source.issuer, ...(heard && subject !== undefined && { subject, event: name }) });
}

/** RFC 9493 §3.2.2, and no other form: the pair is the principal (wire.md §2). */
function subjectOf(value: Json | undefined, { of }: SignalSource): string | undefined {
  if (!isObject(value)) return undefined;
  const { format, iss, sub, ...rest } = value;
  if (format !== 'iss_sub' || iss !== of.issuer || Object.keys(rest).length > 0) return undefined;
  return isName(sub) ? `${of.id}:${sub}` : undefined;
}
const isEvent = (name: string): name is keyof typeof EVENTS => Object.hasOwn(EVENTS, name);
const isName = (value: Json | undefined): value is string => typeof value === 'string' && /^\S{1,255}$/.test(value);
