import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseForm } from '../../../src/http/form.ts';

const CASES: readonly (readonly [string, unknown, Record<string, string> | string])[] = [
  ['two parameters', 'a=1&b=2', { a: '1', b: '2' }],
  ['nothing', '', {}],
  ['plus is a space', 'a=x+y', { a: 'x y' }],
  ['percent escapes', 'a=%7B%22b%22%3A1%7D', { a: '{"b":1}' }],
  ['an escaped plus stays', 'a=1%2B1', { a: '1+1' }],
  ['UTF-8', 'a=%E2%82%AC', { a: '€' }],
  ['an empty value is absent', 'a=&b=2', { b: '2' }],
  ['an equals sign in a value', 'a=b=c', { a: 'b=c' }],
  ['a name twice', 'a=1&a=2', 'form_duplicate'],
  ['a name twice, once escaped', 'grant_type=x&grant%5Ftype=y', 'form_duplicate'],
  ['a name twice, once empty', 'a=&a=2', 'form_duplicate'],
  ['half an escape', 'a=%E2%8', 'form'],
  ['bytes that are not UTF-8', 'a=%ff%fe', 'form'],
  ['an overlong escape', 'a=%c0%af', 'form'],
  ['raw bytes beyond ASCII', 'a=ä', 'form'],
  ['a raw space', 'a=b c', 'form'],
  ['a nameless pair', '=x', 'form'],
  ['an empty pair', 'a=1&&b=2', 'form'],
  ['too many parameters', Array.from({ length: 40 }, (_, i) => `p${i}=1`).join('&'), 'form_parameters'],
  ['no text at all', undefined, 'form'],
];
for (const [name, body, expected] of CASES) {
  test(`form: ${name}`, () => {
    const parsed = parseForm(body);
    if (typeof expected === 'string')
      assert.deepEqual(parsed.ok ? 'accepted' : [parsed.error.reason, parsed.error.detail], ['request_malformed', expected]);
    else assert.deepEqual(parsed.ok && Object.fromEntries(parsed.value), expected);
  });
}
test('form: __proto__ is a name like any other', () => {
  const parsed = parseForm('__proto__=x');
  assert.equal(parsed.ok && parsed.value.get('__proto__'), 'x');
  assert.equal(({} as { x?: unknown }).x, undefined);
});
