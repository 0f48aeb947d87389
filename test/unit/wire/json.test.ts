import assert from 'node:assert/strict';
import { test } from 'node:test';
import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { canonical, digest, EMPTY_DIGEST, isDigest, sha256 } from '../../../src/wire/digest.ts';
import { flawOf, type Json, type JsonFlaw, MAX_JSON_BYTES, parseJson } from '../../../src/wire/json.ts';

const nested = (depth: number, open = '[', close = ']', inner = ''): string => open.repeat(depth) + inner + close.repeat(depth);
const HOSTILE: readonly (readonly [name: string, text: string, flaw: JsonFlaw])[] = [
  ['nothing', '', 'json_syntax'],
  ['white space', ' \n', 'json_syntax'],
  ['a byte order mark', '\ufeff{}', 'json_syntax'],
  ['a trailing comma', '{"a":1,}', 'json_syntax'],
  ['a trailing comma in a list', '[1,]', 'json_syntax'],
  ['two values', '{}{}', 'json_syntax'],
  ['single quotes', "{'a':1}", 'json_syntax'],
  ['a comment', '{/**/}', 'json_syntax'],
  ['an unknown word', 'nul', 'json_syntax'],
  ['a bare minus', '-', 'json_syntax'],
  ['a leading zero', '[01]', 'json_syntax'],
  ['a leading plus', '[+1]', 'json_syntax'],
  ['no digit after the point', '[1.]', 'json_syntax'],
  ['NaN', '[NaN]', 'json_syntax'],
  ['Infinity', '[Infinity]', 'json_syntax'],
  ['hexadecimal', '[0x10]', 'json_syntax'],
  ['a raw line feed in a string', '["a\nb"]', 'json_syntax'],
  ['a raw NUL in a string', '["a\u0000b"]', 'json_syntax'],
  ['an unknown escape', '["\\x41"]', 'json_syntax'],
  ['a vertical tab as space', '\u000b{}', 'json_syntax'],
  ['a no-break space', '\u00a0{}', 'json_syntax'],
  ['an open string', '{"a":"b', 'json_syntax'],
  ['an open object', '{"a":1', 'json_syntax'],
  ['one key twice', '{"a":1,"a":2}', 'json_duplicate_key'],
  ['one key twice, the same value', '{"a":1,"a":1}', 'json_duplicate_key'],
  ['one key twice by escape', '{"a":1,"\\u0061":2}', 'json_duplicate_key'],
  ['one key twice, deep', '{"x":[{"y":{"a":1,"b":2,"a":3}}]}', 'json_duplicate_key'],
  ['an empty key twice', '{"":1,"":2}', 'json_duplicate_key'],
  ['2^53', '[9007199254740992]', 'json_number'],
  ['2^53 + 1', '{"a":9007199254740993}', 'json_number'],
  ['-2^53', '[-9007199254740992]', 'json_number'],
  ['2^53 spelt with an exponent', '[9007199254740992e0]', 'json_number'],
  ['2^53 spelt with a fraction', '[9007199254740992.0]', 'json_number'],
  ['a fraction that rounds to 2^53', '[9007199254740991.9]', 'json_number'],
  ['1e20', '[1e20]', 'json_number'],
  ['infinite', '[1e400]', 'json_number'],
  ['minus infinite', '[-1e999]', 'json_number'],
  ['a lone high surrogate, escaped', '["\\ud800"]', 'json_surrogate'],
  ['a lone low surrogate, escaped', '{"a":"x\\udc00"}', 'json_surrogate'],
  ['surrogates the wrong way round', '["\\udc00\\ud800"]', 'json_surrogate'],
  ['a lone surrogate, raw', '["\ud800"]', 'json_surrogate'],
  ['a lone surrogate in a key', '{"\\ud800":1}', 'json_surrogate'],
  ['lists 65 deep', nested(65), 'json_depth'],
  ['objects 65 deep', nested(65, '{"a":', '}', '1'), 'json_depth'],
  ['lists 65 deep, spaced', ` ${nested(65)}`, 'json_depth'],
  ['lists 100,000 deep', nested(100_000), 'json_depth'],
  ['__proto__', '{"__proto__":{"admin":true}}', 'json_reserved_key'],
  ['__proto__ by escape', '{"__pr\\u006fto__":1}', 'json_reserved_key'],
  ['__entity', '{"a":{"__entity":{"type":"Agent","id":"x"}}}', 'json_reserved_key'],
  ['__extn, spaced', '[ { "__extn" : 1 } ]', 'json_reserved_key'],
  ['__expr', '{"a":[{"__expr":"1"}]}', 'json_reserved_key'],
  ['one byte too many', `"${'a'.repeat(MAX_JSON_BYTES - 1)}"`, 'json_size'],
  ['few characters, too many bytes', `"${'\u20ac'.repeat(MAX_JSON_BYTES / 3)}"`, 'json_size'],
];
for (const [name, text, flaw] of HOSTILE) {
  test(`refused as ${flaw}: ${name}`, () => assert.deepEqual(parseJson(text), { ok: false, error: flaw }));
}

const GOOD: readonly (readonly [string, Json])[] = [
  ['null', null],
  [' { "b" : [ 1 , -0.5 , 1.5e3 ] , "a" : true } ', { b: [1, -0.5, 1500], a: true }],
  ['{"2":1,"1":2}', { 1: 2, 2: 1 }],
  ['[9007199254740991,-9007199254740991]', [9007199254740991, -9007199254740991]],
  ['["\\ud83d\\ude00","\u{1f600}"]', ['\u{1f600}', '\u{1f600}']],
  ['{"constructor":1,"toString":2}', { constructor: 1, toString: 2 } as unknown as Json],
  [nested(64), JSON.parse(nested(64)) as Json],
  ['"é"', 'é'],
];
for (const [text, value] of GOOD) {
  test(`read: ${text.slice(0, 40)}`, () => assert.deepEqual(parseJson(text), { ok: true, value }));
}
test('exactly 256 KiB are read', () => {
  assert.ok(parseJson(`"${'a'.repeat(MAX_JSON_BYTES - 2)}"`).ok);
});
test('e and combining accent stay apart from the composed letter', () => {
  assert.notEqual(digest({ a: '\u00e9' }), digest({ a: 'e\u0301' }));
});

const strictJson = fc.jsonValue({ noUnicodeString: false, maxDepth: 5 }).filter((value) => flawOf(value as Json) === undefined);
/** The same value in other spellings: white space, escapes. */
const spellings = (value: unknown): string[] => {
  const plain = JSON.stringify(value);
  const ascii = plain.replace(/[\u0080-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return [plain, JSON.stringify(value, null, 2), ` ${plain}\r\n`, ascii];
};
test('parse, canonical form and digest agree with RFC 8785 whatever the spelling', () => {
  fc.assert(
    fc.property(strictJson, (value) => {
      const expected = canonicalize(value) as string;
      for (const text of spellings(value)) {
        const read = parseJson(text);
        assert.ok(read.ok, text);
        assert.equal(canonical(read.value), expected);
        assert.equal(digest(read.value), `sha-256:${sha256(expected)}`);
      }
    }),
    { numRuns: 500 },
  );
});
test('what is accepted is what JSON.parse reads, and never throws', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.json(), mangled()), (text) => {
      const read = parseJson(text);
      if (read.ok) assert.deepEqual(read.value, JSON.parse(text));
    }),
    { numRuns: 2_000 },
  );
});
test('a key that stands twice is found wherever it is', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 }), fc.nat(), (object, at) => {
      const keys = Object.keys(object).filter((key) => !/^__(proto|entity|extn|expr)/.test(key) && key.isWellFormed());
      const twice = keys[at % keys.length];
      fc.pre(twice !== undefined && flawOf(object as Json) === undefined);
      const text = `${JSON.stringify(object).slice(0, -1)},${JSON.stringify(twice)}:0}`;
      assert.deepEqual(parseJson(text), { ok: false, error: 'json_duplicate_key' });
    }),
  );
});
function mangled(): fc.Arbitrary<string> {
  return fc.tuple(fc.json(), fc.nat(), fc.constantFrom('"', '{', '}', ',', ':', '\\', '0', ' ', '\ud800', '[')).map(([text, at, c]) => {
    const i = at % (text.length + 1);
    return text.slice(0, i) + c + text.slice(i);
  });
}

test('the check vectors of wire.md §4', () => {
  assert.equal(EMPTY_DIGEST, 'sha-256:RBNvo1WzZ4oRRq0W9-hknpT7T8If536DEMBg9hyq_4o');
  const vector = parseJson('{ "source_invoice_id":"inv_2026Q3_842", "amount_usd":"423.50" }');
  assert.ok(vector.ok);
  assert.equal(digest(vector.value), 'sha-256:WPVi6EnQ7H9Fh-qk9ADxmTg8zruOdVUX1esl-v3TfCI');
});
test('RFC 8785: numbers, and keys by UTF-16 code unit (§3.2.3)', () => {
  const text = '{"\u20ac":"Euro Sign","\\r":"CR","\ufb33":"Dalet","1":"One","\u{1f600}":"Smiley","\u0080":"Control","\u00f6":"o"}';
  const read = parseJson(text);
  assert.ok(read.ok);
  assert.equal(
    canonical(read.value),
    '{"\\r":"CR","1":"One","\u0080":"Control","\u00f6":"o","\u20ac":"Euro Sign","\u{1f600}":"Smiley","\ufb33":"Dalet"}',
  );
  const numbers = parseJson('[333333333.33333329, 4.50, 2e-3, 0.000000000000000000000000001, -0]');
  assert.ok(numbers.ok);
  assert.equal(canonical(numbers.value), '[333333333.3333333,4.5,0.002,1e-27,0]');
});
test('what a digest looks like', () => {
  assert.ok(isDigest(EMPTY_DIGEST));
  for (const bad of ['', 'sha-256:', `${EMPTY_DIGEST}=`, EMPTY_DIGEST.toUpperCase(), `${EMPTY_DIGEST}\n`, 1, null, [EMPTY_DIGEST]]) {
    assert.equal(isDigest(bad), false);
  }
});
test('flawOf looks at values that another parser made', () => {
  const cases: readonly (readonly [unknown, JsonFlaw | undefined])[] = [
    [{ a: [1, 'x', null, true] }, undefined],
    [{ a: undefined }, 'json_syntax'],
    [1n, 'json_syntax'],
    [() => 1, 'json_syntax'],
    [Number.NaN, 'json_number'],
    [2 ** 53, 'json_number'],
    ['\ud800', 'json_surrogate'],
    [{ '\ud800': 1 }, 'json_surrogate'],
    [JSON.parse('{"a":{"__proto__":1}}'), 'json_reserved_key'],
    [JSON.parse(nested(65)), 'json_depth'],
  ];
  for (const [value, flaw] of cases) assert.equal(flawOf(value as Json), flaw);
});
