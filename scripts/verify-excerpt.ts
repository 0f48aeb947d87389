/**
 * Offline: entries that somebody was given (GET /operator/export, `Export` in the Explorer), checked without the store. Three things stand in such a
 * file: each entry with its hash and the one that it follows; an end with a count and a digest over all lines; and the broker's signature over that
 * end and over where its ledger ended then. What a filter left out between two entries breaks the chain of hashes between them: that both stand in
 * the ledger of that head is then the broker's word alone, and the report says how often.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { bodyIn, FLAWS, GENESIS, type Head, link, repairOf } from '../src/store/chain.ts';
import { isObject, type Json, type JsonObject } from '../src/wire/json.ts';
import { pick, readJwks } from '../src/wire/jwks.ts';
import { readJws, signatureHolds } from '../src/wire/jws.ts';
import { TYP_EXPORT } from '../src/wire/oauth.ts';
import { linesOf } from './lines.ts';
import { LedgerUnreadable } from './verify-ledger-words.ts';
import { proofChecker } from './verify-proofs.ts';

/** Constant texts. */
const WHY = {
  ...FLAWS,
  form: 'its line is not one of an export',
  fork: 'another entry of this file follows the same one',
  beyond: 'it stands behind the end of the ledger that this export says it saw',
  cut: 'the file ends before its end: it was cut off',
  more: 'the file goes on behind its end',
  count: 'there are not as many entries as its end says: some were removed, or added',
  digest: 'its lines are not those that its end was made over: something in them was changed',
  unsigned: 'its end is not signed as a broker signs an export',
  key: 'it is signed by none of these keys: another issuer made it, or these are not its keys of that time',
  signature: 'its signature does not hold',
  other: 'what was signed is not this export',
  expected: 'the expected head is not in this file, or is another one there',
} as const;
type Flaw = keyof typeof WHY;
const REMEDY = 'Keep this file as it is, as evidence, and ask for another export of the same; compare the two.';
const KEYS_REMEDY = 'Give the key set of the issuer as it was when the export was made: save <issuer>/jwks beside each export.';

export interface ExcerptReport {
  readonly ok: boolean;
  /** Good entries, up to the first bad one. */
  readonly count: number;
  readonly export: string;
  readonly issuer: string;
  /** Who took it away, when, and what they asked for. */
  readonly by: string;
  readonly at: number;
  readonly filter: JsonObject;
  /** The end of the ledger when it was taken, `<seq>:<hash>`; without the hash where that was not made yet. */
  readonly head: string;
  /** The key that signed. */
  readonly kid?: string;
  /** Entries whose hash follows from their body and the hash that they say they follow. */
  readonly hashed: number;
  /** Of those, entries that follow one in this file, or nothing: their place is proved by hashes. Of all others by the signature alone. */
  readonly linked: number;
  /** All of the ledger, from its first entry to that head, each proved by hashes. */
  readonly whole: boolean;
  /** Votes that a passkey signed, each checked against what its entry says. */
  readonly proofs: number;
  /** `seq`: of the entry that it is about. */
  readonly bad?: { readonly seq?: number; readonly why: string; readonly remedy: string };
}
const LINE = /^\{"seq":([1-9]\d{0,15}),"hash":"([0-9a-f]{64}|)","previous":(?:null|"([0-9a-f]{64})"),"body":(\{.*\})\}$/s;
const PAGE = 500;

/** Reads the file once. `jwks`: the key set of the issuer who is believed. Throws LedgerUnreadable where it is no export at all, or the keys are none. */
export async function verifyExcerpt(path: string, jwks: Json, options: { readonly expectHead?: Head } = {}): Promise<ExcerptReport> {
  const keys = readJwks(jwks);
  if (!keys.ok) throw new LedgerUnreadable('these are no keys', KEYS_REMEDY);
  const known = keys.value;
  const begin: { head?: JsonObject } = {};
  const proofs = proofChecker({ trimmed: true, parted: true });
  const digest = createHash('sha256');
  const seen = new Set<string>();
  const followed = new Set<string>();
  const sum = { last: 0, count: 0, hashed: 0, linked: 0, gaps: 0, kid: undefined as string | undefined };
  let met = options.expectHead === undefined;
  let ended = false;
  let bad: ExcerptReport['bad'];
  const fail = ({ flaw, seq }: Found): void => {
    bad = { ...(seq !== undefined && { seq }), why: WHY[flaw], remedy: flaw === 'key' ? KEYS_REMEDY : REMEDY };
  };

  let half: Found | undefined;
  for await (const text of linesOf(path)) {
    if (half || ended) {
      fail(half ?? { flaw: 'more' });
      break;
    }
    if (!begin.head) {
      begin.head = headOf(text);
      digest.update(`${text}\n`);
      continue;
    }
    const isEnd = text.startsWith('{"end":');
    if (!isEnd) digest.update(`${text}\n`);
    const found = isEnd ? endOf(text, begin.head) : entryOf(text, begin.head);
    ended ||= isEnd;
    // Of the last line it may be a half: that is told otherwise.
    if (found?.flaw === 'form') half = found;
    else if (found) fail(found);
    else if (sum.count % PAGE === 0) await unproved();
    if (bad) break;
  }
  const { head } = begin;
  if (!head) throw notOurs();
  if (!bad && (half || !ended)) fail({ flaw: 'cut' });
  if (!bad) await unproved();
  if (!bad && !met) fail({ flaw: 'expected', seq: options.expectHead?.seq });
  const { through, head: hash } = head;
  return {
    ok: !bad,
    count: sum.count,
    export: String(head['export']),
    issuer: String(head['issuer']),
    by: String(head['by']),
    at: Number(head['at']),
    filter: isObject(head['filter']) ? head['filter'] : {},
    head: hash === undefined ? String(through) : `${String(through)}:${String(hash)}`,
    ...(sum.kid !== undefined && { kid: sum.kid }),
    hashed: sum.hashed,
    linked: sum.linked,
    whole: !bad && sum.gaps === 0 && sum.linked === sum.count && sum.last === through && (through === 0 || seen.has(String(hash))),
    proofs: proofs.count,
    ...(bad && { bad }),
  };

  async function unproved(): Promise<void> {
    const flaw = await proofs.check();
    if (flaw) bad = { ...flaw, remedy: REMEDY };
  }
  function entryOf(text: string, { through: end, filter }: JsonObject): Found | undefined {
    const [, number, hash = '', previous, body = ''] = LINE.exec(text) ?? [];
    if (number === undefined) return { flaw: 'form', seq: sum.last + 1 };
    const seq = Number(number);
    if (seq <= sum.last) return { flaw: 'order', seq };
    if (seq > Number(end)) return { flaw: 'beyond', seq };
    const value = bodyIn(body);
    if (!value) return { flaw: 'body', seq };
    const leapt = seq - sum.last - 1;
    const repair = repairOf(value);
    if (leapt > 0 && !(repair?.first === sum.last + 1 && repair.count === leapt)) {
      // Whoever asked for all has all, from the first that has not been trimmed.
      if (sum.last > 0 && isEmpty(filter)) return { flaw: 'gap', seq: sum.last + 1 };
      sum.gaps++;
    }
    if (previous !== undefined) {
      if (link(previous, body) !== hash) return { flaw: 'hash', seq };
      if (previous !== GENESIS && followed.has(previous)) return { flaw: 'fork', seq };
      followed.add(previous);
      sum.hashed++;
      if (previous === GENESIS || seen.has(previous)) sum.linked++;
    }
    if (hash !== '') seen.add(hash);
    if (options.expectHead?.seq === seq) {
      if (options.expectHead.hash !== hash) return { flaw: 'expected', seq };
      met = true;
    }
    sum.last = seq;
    sum.count++;
    proofs.take(value, seq);
    return undefined;
  }
  /** What was signed is the measure: the end that stands beside it is for whoever has no keys. */
  function endOf(text: string, { issuer, export: id, through: end, head: of }: JsonObject): Found | undefined {
    const value = bodyIn(text);
    const signed = value?.['signed'];
    if (!value) return { flaw: 'cut' };
    const jws = typeof signed === 'string' ? readJws(signed, { typ: [TYP_EXPORT] }) : undefined;
    if (!jws?.ok) return { flaw: 'unsigned' };
    const { header, payload, signed: said, signature } = jws.value;
    const kid = typeof header['kid'] === 'string' ? header['kid'] : undefined;
    const key = pick(known, kid, header.alg);
    if (!key) return { flaw: 'key' };
    if (!signatureHolds(header.alg, key, said, signature)) return { flaw: 'signature' };
    if (payload['iss'] !== issuer || payload['jti'] !== id) return { flaw: 'other' };
    if (payload['entries'] !== sum.count) return { flaw: 'count' };
    if (payload['digest'] !== `sha-256:${digest.digest('base64url')}`) return { flaw: 'digest' };
    if (payload['through'] !== end || payload['head'] !== of) return { flaw: 'other' };
    sum.kid = kid;
    if (options.expectHead?.seq === end && options.expectHead?.hash === of) met = true;
    return undefined;
  }
}
interface Found {
  readonly flaw: Flaw;
  readonly seq?: number | undefined;
}
const isEmpty = (filter: Json | undefined): boolean => filter !== undefined && isObject(filter) && Object.keys(filter).length === 0;
const notOurs = (): LedgerUnreadable =>
  new LedgerUnreadable('this is no export of entries', 'Give the file that `Export` in the Explorer, or GET /operator/export, gave.');
function headOf(text: string): JsonObject {
  const head = bodyIn(text);
  if (!head || typeof head['export'] !== 'string' || head['form'] !== 1 || !Number.isSafeInteger(head['through'])) throw notOurs();
  return head;
}

/** Both from files. Throws LedgerUnreadable. */
export function verifyExcerptFile(path: string, keysPath: string, options: { readonly expectHead?: Head }): Promise<ExcerptReport> {
  for (const one of [path, keysPath]) if (!existsSync(one)) throw new LedgerUnreadable('there is no file at this path', `Look at ${one}.`);
  const keys = bodyIn(readFileSync(keysPath, 'utf8'));
  if (!keys) throw new LedgerUnreadable('these are no keys', KEYS_REMEDY);
  return verifyExcerpt(path, keys, options);
}
/** What a person reads. */
export function tellExcerpt(report: ExcerptReport): string {
  const { count, hashed, linked, bad } = report;
  const rest = count - linked;
  const lines = [
    `${count} ${count === 1 ? 'entry' : 'entries'} of the ledger of ${printable(report.issuer)}`,
    `export   ${printable(report.export)} by ${printable(report.by)}, ${new Date(report.at * 1000).toISOString()}`,
    `asked    ${printable(JSON.stringify(report.filter))}`,
    `head     ${printable(report.head)}`,
    ...(report.kid === undefined ? [] : [`signed   by the key ${printable(report.kid)}`]),
    `hashes   ${hashed} follow from their body and the hash before them; ${linked} of these from the entry before them in this file`,
    ...(report.proofs > 0 ? [`proofs   ${report.proofs} signatures by passkeys, each of what its entry says`] : []),
    ...(bad
      ? [`BAD      ${bad.seq === undefined ? '' : `entry ${bad.seq}: `}${bad.why}`, `         ${bad.remedy}`]
      : report.whole
        ? ['whole    from the first entry to that head: each stands there by its hash']
        : [
            `in part  ${rest === 0 ? 'that these lead' : `where ${rest} of these stand, and that all lead`} to that head, is the broker’s word: what was left out does not show`,
          ]),
  ];
  return `${lines.join('\n')}\n`;
}
/** Whoever made the file wrote these. */
const printable = (text: string): string => text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?');
