import { didYouMean } from '../bundle/nearest.ts';
import type { Remedy } from '../errors.ts';
import type { Demand } from '../model.ts';
import { isObject, type Json, type JsonObject, parseJson } from '../wire/json.ts';
import { OWNER } from './demands.ts';

/** What a policy's annotations say to this broker; Cedar itself gives them no meaning. */
export interface Meaning {
  readonly id: string;
  readonly ttlSeconds?: number;
  /** A forbid's stable code, and what it teaches. */
  readonly code?: string;
  readonly remedy?: Remedy;
  readonly approval?: Demand;
  /** Where both hold, what these permits demand does not count: the one way to demand less than another permit does. */
  readonly insteadOf?: readonly string[];
  /** Epoch seconds: from then on it grants nothing. */
  readonly ends?: number;
}
const DEMANDS = ['confirm', 'approval', 'quorum', 'approval_ttl', 'approval_proof', 'approval_instead_of'];
const KNOWN = ['id', 'owner', 'ttl', 'until', 'reason', 'remedy', 'hint', ...DEMANDS];
const ONLY_PERMIT = ['ttl', 'until', ...DEMANDS];
const ONLY_FORBID = ['reason', 'remedy', 'hint'];
const MAX_TTL_SECONDS = 300;
const MAX_APPROVAL_SECONDS = 7 * 24 * 3600;

/** Undefined where one of them means nothing; `problem` has then been told. */
export function readAnnotations(
  effect: 'permit' | 'forbid',
  said: Readonly<Record<string, string | null>>,
  problem: (text: string, hint?: string) => void,
): Meaning | undefined {
  let sound = true;
  const wrong = (text: string, hint?: string): undefined => {
    sound = false;
    problem(text, hint);
    return undefined;
  };
  for (const name of Object.keys(said)) {
    if (!KNOWN.includes(name)) wrong(`unknown annotation @${name}`, didYouMean(name, KNOWN).hint);
    else if (effect === 'forbid' && ONLY_PERMIT.includes(name)) wrong(`@${name} on a forbid means nothing`, 'it belongs to the permit');
    else if (effect === 'permit' && ONLY_FORBID.includes(name))
      wrong(`@${name} on a permit means nothing`, 'a permit that does not hold is silent; write a forbid');
    else if (name === 'confirm')
      (said[name] ?? '') === '' || wrong('@confirm takes no value', 'it asks the person acted for, and nobody else');
    else if ((said[name] ?? '').trim() === '') wrong(`@${name} says nothing`);
  }
  const id = said['id'] ?? undefined;
  if (id === undefined) wrong('the policy has no @id', 'every decision names the policies that made it');
  else if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(id)) wrong('@id must be letters, digits, dots, dashes and underscores');

  const ttl = said['ttl'] ?? undefined;
  const ttlSeconds = ttl === undefined ? undefined : seconds(ttl, ['s', 'm'], MAX_TTL_SECONDS);
  if (ttl !== undefined && ttlSeconds === undefined) wrong('@ttl must be a time such as 90s or 2m, at most 5m');

  const code = said['reason'] ?? undefined;
  if (code !== undefined && !/^[a-z][a-z_]{0,63}$/.test(code)) wrong('@reason must be a code of lower-case letters and underscores');
  const remedy = readRemedy(said, wrong);
  const approval = readApproval(said, wrong);
  const until = said['until'] ?? undefined;
  const ends = until === undefined ? undefined : endOfDay(until);
  if (until !== undefined && ends === undefined) wrong('@until must be a day such as 2026-12-31: the last on which it holds, UTC');
  const instead = said['approval_instead_of']?.split(',').map((name) => name.trim());
  if (!sound || id === undefined) return undefined;
  return {
    id,
    ...(ttlSeconds !== undefined && { ttlSeconds }),
    ...(code !== undefined && { code }),
    ...(remedy && { remedy }),
    ...(approval && { approval }),
    ...(instead && { insteadOf: instead }),
    ...(ends !== undefined && { ends }),
  };
}

type Wrong = (text: string, hint?: string) => undefined;
type Said = Readonly<Record<string, string | null>>;

function readRemedy(said: Said, wrong: Wrong): Remedy | undefined {
  const text = said['remedy'] ?? undefined;
  const hint = said['hint'] ?? undefined;
  if (text === undefined) return hint === undefined ? undefined : wrong('@hint without @remedy');
  if (said['reason'] === undefined) return wrong('@remedy without @reason', 'a program reads the code, a person the remedy');
  if (text.length > 500) return wrong('@remedy is longer than 500 characters');
  if (hint === undefined) return { text };
  const parsed = parseJson(hint, 4_096);
  const hints = parsed.ok ? (Array.isArray(parsed.value) ? (parsed.value as readonly Json[]) : [parsed.value]) : [];
  if (hints.length === 0 || !hints.every(isFlat))
    return wrong('@hint must be a JSON object of strings, numbers and booleans, or a list of such');
  return { text, hints: hints as NonNullable<Remedy['hints']> };
}
const isFlat = (value: Json): value is JsonObject =>
  isObject(value) && Object.values(value).every((v) => typeof v === 'string' || typeof v === 'number' || typeof v === 'boolean');

function readApproval(said: Said, wrong: Wrong): Demand | undefined {
  const text = said['approval'] ?? undefined;
  const quorum = said['quorum'] ?? '1';
  const ttl = said['approval_ttl'] ?? '900s';
  const proof = said['approval_proof'] ?? undefined;
  const confirm = 'confirm' in said && { confirm: true as const };
  if (text === undefined && said['quorum'] !== undefined) return wrong('@quorum needs @approval');
  if (text === undefined && !confirm) {
    return said['approval_ttl'] === undefined && proof === undefined
      ? undefined
      : wrong('@approval_ttl and @approval_proof need @approval or @confirm');
  }
  const who = text === undefined ? [] : text.split(',').map((name) => name.trim());
  if (!who.every((name) => name === OWNER || /^[a-z][a-z0-9-]{0,31}:[^\s,]{1,255}$/.test(name)))
    return wrong('@approval must name who, such as team:privacy, people:u_alice or owner');
  if (!/^[1-9]\d?$/.test(quorum)) return wrong('@quorum must be a number from 1 to 99');
  const ttlSeconds = seconds(ttl, ['s', 'm', 'h'], MAX_APPROVAL_SECONDS);
  if (ttlSeconds === undefined) return wrong('@approval_ttl must be a time such as 15m or 4h, at most a week');
  if (proof !== undefined && proof !== 'passkey') return wrong('@approval_proof must be passkey');
  return {
    who: [...new Set(who)].sort(),
    quorum: text === undefined ? 0 : Number(quorum),
    ttlSeconds,
    ...confirm,
    ...(proof === 'passkey' && { proof }),
  };
}

/** The first second after this day; undefined where there is no such day. */
function endOfDay(text: string): number | undefined {
  const begins = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(`${text}T00:00:00Z`) / 1000 : Number.NaN;
  const exists = Number.isSafeInteger(begins) && new Date(begins * 1000).toISOString().startsWith(text);
  return exists ? begins + 86_400 : undefined;
}
const UNITS = { s: 1, m: 60, h: 3600 } as const;
function seconds(text: string, units: readonly (keyof typeof UNITS)[], most: number): number | undefined {
  const found = /^([1-9]\d{0,5})([smh])$/.exec(text);
  const unit = found?.[2] as keyof typeof UNITS | undefined;
  if (!found || !unit || !units.includes(unit)) return undefined;
  const value = Number(found[1]) * UNITS[unit];
  return value <= most ? value : undefined;
}
