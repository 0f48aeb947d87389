/** What deceives in a text is marked, and what does not is left alone. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { codeOf, isSuspicious, runsOf } from '../../../src/console/browser/suspicious.ts';

const marked = (text: string): string =>
  runsOf(text)
    .map(({ text: part, odd }) => (odd ? `[${odd} ${codeOf(part)}]` : part))
    .join('');

describe('marked', () => {
  const TABLE: readonly (readonly [string, string])[] = [
    ['a\u202egpj.exe', 'a[bidi U+202E]gpj.exe'],
    ['\u2066x\u2069', '[bidi U+2066]x[bidi U+2069]'],
    ['a\u200bb', 'a[invisible U+200B]b'],
    ['\ufeffa\u00adb', '[invisible U+FEFF]a[invisible U+00AD]b'],
    ['\u{e0041}', '[invisible U+E0041]'],
    ['a\u0000b\u001b[31m', 'a[control U+0000]b[control U+001B][31m'],
    ['\u2028', '[control U+2028]'],
    ['\ud800', '[control U+D800]'],
    ['a\u00a0b', 'a[space U+00A0]b'],
    ['pаypal', 'p[lookalike U+0430]ypal'],
    ['раса', '[lookalike U+0440][lookalike U+0430][lookalike U+0441][lookalike U+0430]'],
    ['ｐaypal', '[lookalike U+FF50]aypal'],
    ['\u{1d429}ay', '[lookalike U+1D429]ay'],
    ['ΑΒΕ', '[lookalike U+0391][lookalike U+0392][lookalike U+0395]'],
  ];
  for (const [text, expected] of TABLE) it(JSON.stringify(text), () => assert.equal(marked(text), expected));
});

describe('left alone', () => {
  for (const text of [
    '',
    'right to erasure, ticket 12',
    'Überweisung für Zoë',
    'Привет, мир',
    'Ελληνικά κείμενα',
    'עברית',
    'العربية',
    '日本語のテキスト',
    'हिन्दी',
    'naïve café — “quoted”, 100 €',
    'line one\n\tline two',
    '👍 emoji 🇪🇺',
  ])
    it(JSON.stringify(text), () => assert.equal(isSuspicious(text), false, marked(text)));
});

it('what is shown is the text, whatever it is', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const runs = runsOf(text);
      assert.equal(runs.map((run) => run.text).join(''), text);
      for (const { text: part, odd } of runs) if (odd) assert.equal([...part].length, 1);
    }),
  );
});
