/** Which characters of a text show something else than they are: they steer, they hide, or they look like others. Pure; knows no page. */

export type Oddity = 'bidi' | 'invisible' | 'control' | 'space' | 'lookalike';
export interface Run {
  readonly text: string;
  /** Absent: as it looks. */
  readonly odd?: Oddity;
}
/** Unicode's controls of direction (UAX #9). */
const BIDI = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/;
const INVISIBLE = /[\p{Default_Ignorable_Code_Point}\ufff9-\ufffb]/u;
const CONTROL = /[\p{Cc}\p{Cs}\p{Co}\u2028\u2029]/u;
const SPACE = /[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]/;
/** Letters of other scripts that most fonts draw as a Latin one does (UTS #39, the common ones), and Latin in disguise. */
const LIKE_LATIN = /[АВЕЅІЈКМНОРСТУХаеорсухіјѕһԁԛԝᴀ-ᴢΑΒΕΖΗΙΚΜΝΟΡΤΥΧοανυρⲟօսոԼՕՍᎪᎬᏀᎻᎫᏞᎷᏢᏚᎢꓐꓳﬀ-ﬆ\u{ff01}-\u{ff5e}\u{1d400}-\u{1d7ff}]/u;
const WORD = /[\p{L}\p{N}\p{M}_]+/gu;

/** In order; joined they are the text. */
export function runsOf(text: string): readonly Run[] {
  const alike = lookalikes(text);
  const runs: { text: string; odd?: Oddity }[] = [];
  let at = 0;
  for (const char of text) {
    const odd = alike.has(at) ? 'lookalike' : oddityOf(char);
    const last = runs.at(-1);
    // Each odd character stands alone: it is named by its number.
    if (odd === undefined && last && last.odd === undefined) last.text += char;
    else runs.push(odd === undefined ? { text: char } : { text: char, odd });
    at += char.length;
  }
  return runs;
}
export const isSuspicious = (text: string): boolean => runsOf(text).some(({ odd }) => odd !== undefined);
/** `U+202E`. */
export const codeOf = (char: string): string => `U+${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;

function oddityOf(char: string): Oddity | undefined {
  if (char === '\n' || char === '\t') return undefined;
  if (BIDI.test(char)) return 'bidi';
  if (INVISIBLE.test(char)) return 'invisible';
  if (SPACE.test(char)) return 'space';
  return CONTROL.test(char) ? 'control' : undefined;
}
/** Where letters stand that pass for Latin: in a word with Latin in it, or in one that is made of nothing else. A word of another script is none. */
function lookalikes(text: string): ReadonlySet<number> {
  const found = new Set<number>();
  for (const { 0: word, index } of text.matchAll(WORD)) {
    const chars = [...word];
    const like = chars.map((char) => LIKE_LATIN.test(char));
    if (!like.includes(true)) continue;
    const other = chars.some((char, i) => !like[i] && /\p{L}/u.test(char) && !/\p{Script=Latin}/u.test(char));
    const latin = chars.some((char, i) => !like[i] && /\p{Script=Latin}/u.test(char));
    if (other && !latin) continue;
    let at = index;
    for (const [i, char] of chars.entries()) {
      if (like[i]) found.add(at);
      at += char.length;
    }
  }
  return found;
}
