/** Every other way to write one JWT: refused, whichever token it is. */
import { rawJws } from '../support/keys.ts';
import type { Rig } from '../support/rig.ts';
import type { Case } from './oracle.ts';
import { goodToken, KINDS, type Kind, keyOf, partsOf, REFUSED, showing } from './tokens.ts';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
type Respell = (token: string, segments: readonly [string, string, string]) => string;

/** 64 bytes are 85 characters and two bits: of the last character's six bits four are free, and lenient decoders ignore them. */
const lastCharacters: readonly (readonly [string, Respell])[] = Array.from({ length: 15 }, (_, i) => [
  `the last character of the signature, variant ${i + 1} of 15`,
  (token) => token.slice(0, -1) + ALPHABET[ALPHABET.indexOf(token.slice(-1)) ^ (i + 1)],
]);
const RESPELLINGS: readonly (readonly [string, Respell])[] = [
  ...lastCharacters,
  ['one = after the signature', (token) => `${token}=`],
  ['two = after the signature', (token) => `${token}==`],
  ['= after the header', (_, [h, p, s]) => `${h}=.${p}.${s}`],
  ['= after the claims', (_, [h, p, s]) => `${h}.${p}=.${s}`],
  ['a space before it', (token) => ` ${token}`],
  ['a space after it', (token) => `${token} `],
  ['a line feed after it', (token) => `${token}\n`],
  ['a space in the header', (_, [h, p, s]) => `${h.slice(0, 4)} ${h.slice(4)}.${p}.${s}`],
  ['a line feed in the claims', (_, [h, p, s]) => `${h}.${p.slice(0, 4)}\n${p.slice(4)}.${s}`],
  ['a tab in the signature', (_, [h, p, s]) => `${h}.${p}.${s.slice(0, 4)}\t${s.slice(4)}`],
  ['a NUL in the signature', (_, [h, p, s]) => `${h}.${p}.${s.slice(0, 4)}\0${s.slice(4)}`],
  ['a no-break space after it', (token) => `${token}\u00a0`],
  ['the alphabet of plain base64', (_, [h, p, s]) => `${h}.${p}.${Buffer.from(s, 'base64url').toString('base64').replace(/=+$/, '')}+`],
  ['a full stop before it', (token) => `.${token}`],
  ['a full stop after it', (token) => `${token}.`],
  ['a fourth segment', (token) => `${token}.AAAA`],
  ['five segments, as a JWE has', (_, [h, p, s]) => `${h}.${p}.${s}.${p}.${s}`],
  ['two segments', (_, [h, p]) => `${h}.${p}`],
  ['an empty signature', (_, [h, p]) => `${h}.${p}.`],
  ['an empty header', (_, [, p, s]) => `.${p}.${s}`],
  ['the claims detached', (_, [h, , s]) => `${h}..${s}`],
  ['a character of three bytes', (token) => `${token}\u20ac`],
  ['full-width letters', (token) => token.replace(/^e/, '\uff45')],
  ['JSON serialization, flattened', (_, [h, p, s]) => JSON.stringify({ protected: h, payload: p, signature: s })],
  ['JSON serialization, general', (_, [h, p, s]) => JSON.stringify({ payload: p, signatures: [{ protected: h, signature: s }] })],
  ['a scheme before it', (token) => `Bearer ${token}`],
  ['quotes about it', (token) => `"${token}"`],
  ['percent escapes', (_, [h, p, s]) => `${h}%2E${p}%2E${s}`],
];
/** What a header cannot hold on the wire never reaches us. */
const inHeader = (text: string): boolean => /^[\t\x20-\x7e]*$/.test(text) && text.trim() === text;

type Rewrite = (header: string, claims: string) => readonly [string | Uint8Array, string | Uint8Array];
/** Signed by the right key, over bytes that two readers could read differently. */
const REWRITINGS: readonly (readonly [string, Rewrite])[] = [
  ['a byte-order mark before the header', (h, c) => [`\ufeff${h}`, c]],
  ['a byte-order mark before the claims', (h, c) => [h, `\ufeff${c}`]],
  ['a header member twice', (h, c) => [`{"alg":"none",${h.slice(1)}`, c]],
  ['a header member twice, once escaped', (h, c) => [`{"\\u0061lg":"none",${h.slice(1)}`, c]],
  ['a claim twice', (h, c) => [h, `{"jti":"other",${c.slice(1)}`]],
  ['a claim twice, once escaped', (h, c) => [h, `{"\\u006ati":"other",${c.slice(1)}`]],
  ['claims after the claims', (h, c) => [h, `${c}{}`]],
  ['a comment in the claims', (h, c) => [h, `${c.slice(0, -1)}/**/}`]],
  ['a trailing comma', (h, c) => [h, `${c.slice(0, -1)},}`]],
  ['single quotes', (h, c) => [h, c.replaceAll('"', "'")]],
  ['claims that are a list', (h, c) => [h, `[${c}]`]],
  ['claims that are a string', (h, c) => [h, JSON.stringify(c)]],
  ['claims that are null', (h) => [h, 'null']],
  ['a header that is a list', (h, c) => [`[${h}]`, c]],
  ['a byte that is not UTF-8', (h, c) => [h, Buffer.concat([Buffer.from(`{"x":"`), Buffer.from([0xff]), Buffer.from(`",${c.slice(1)}`)])]],
  [
    'UTF-8 longer than it needs to be',
    (h, c) => [h, Buffer.concat([Buffer.from(`{"x":"`), Buffer.from([0xc0, 0xaf]), Buffer.from(`",${c.slice(1)}`)])],
  ],
  ['UTF-16', (h, c) => [h, Buffer.from(c, 'utf16le')]],
  ['a lone surrogate', (h, c) => [h, `{"x":"\\ud800",${c.slice(1)}`]],
  ['an integer beyond 2^53', (h, c) => [h, `{"x":9007199254740993,${c.slice(1)}`]],
  ['a number that is infinite', (h, c) => [h, `{"x":1e400,${c.slice(1)}`]],
  ['claims 70 deep', (h, c) => [h, `{"x":${'['.repeat(70)}${']'.repeat(70)},${c.slice(1)}`]],
  ['claims 5,000 deep', (h, c) => [h, `{"x":${'['.repeat(5_000)}${']'.repeat(5_000)},${c.slice(1)}`]],
  ['a key that changes prototypes', (h, c) => [h, `{"__proto__":{"admin":true},${c.slice(1)}`]],
  ['a key that is an entity to Cedar', (h, c) => [h, `{"groups":{"__entity":{"type":"Person","id":"x"}},${c.slice(1)}`]],
  ['17 KB', (h, c) => [h, `{"x":"${'x'.repeat(17_000)}",${c.slice(1)}`]],
];

async function rewrite(rig: Rig, kind: Kind, change: Rewrite): Promise<string> {
  const { header, claims } = await partsOf(rig, kind);
  const [h, c] = change(JSON.stringify(header), JSON.stringify({ ...claims, groups: undefined }));
  return rawJws(keyOf(rig, kind), h as string, Buffer.from(c as string));
}
const form: Readonly<Record<Kind, string>> = { assertion: 'token_form', subject: 'token_form', actor: 'token_form', proof: 'proof_form' };

export const stringCases = (kind: Kind): readonly Case[] => [
  ...RESPELLINGS.filter(([, respell]) => kind !== 'proof' || inHeader(respell('eA.eB.sC', ['eA', 'eB', 'sC']))).map(
    ([name, respell]): Case => ({
      name,
      asking: async (rig) => {
        const token = await goodToken(rig, kind);
        return showing(kind, { token: respell(token, token.split('.') as [string, string, string]) });
      },
      ...REFUSED[kind],
      detail: form[kind],
    }),
  ),
  // A proof of 17 KB is stopped with the whole header block (431): http.test.ts.
  ...REWRITINGS.filter(([name]) => kind !== 'proof' || !/17 KB|5,000/.test(name)).map(
    ([name, change]): Case => ({
      name,
      asking: async (rig) => showing(kind, { token: await rewrite(rig, kind, change) }),
      ...REFUSED[kind],
      detail: form[kind],
    }),
  ),
];
export const stringTables = KINDS.map((kind) => [`one JWT written otherwise: the ${kind}`, stringCases(kind)] as const);
