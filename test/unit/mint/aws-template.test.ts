/** What arguments can make of a session policy: exactly what its template says, or nothing at all. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { fillParameters } from '../../../src/mint/minter-aws-parameters.ts';
import { MAX_POLICY_LENGTH, renderPolicy } from '../../../src/mint/minter-aws-policy.ts';
import type { Json, JsonObject } from '../../../src/wire/json.ts';
import { EVERYTHING, registered, settingsOf } from './aws-world.ts';

const END = '2026-11-20T09:00:30Z';
const GOOD: JsonObject = { customer_id: 'c_4711', year: 2026, currency: 'EUR', order: '0f8fad5b-d9cb-469f-a165-70867728950e' };
const everything = settingsOf(EVERYTHING);
function render(settings: JsonObject, args: JsonObject, reach: 'everything' | 'services' = 'everything'): JsonObject {
  const { template, parameters } = settingsOf(settings);
  const values = fillParameters(parameters, args);
  assert.ok(values.ok);
  return JSON.parse(renderPolicy(template, values.value, END, reach)) as JsonObject;
}
const over = (action: Json): JsonObject => ({
  Effect: 'Deny',
  Action: action,
  Resource: '*',
  Condition: { DateGreaterThanEquals: { 'aws:CurrentTime': END } },
});

suite('the document', () => {
  test('values stand in their places, every permission ends, and from then on everything is denied', () => {
    assert.deepEqual(render(EVERYTHING, GOOD), {
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Allow',
          Action: ['s3:GetObject', 's3:ListBucket'],
          Resource: 'arn:aws:s3:::exports/c_4711/2026/EUR/0f8fad5b-d9cb-469f-a165-70867728950e',
          Condition: { StringEquals: { 's3:ExistingObjectTag/customer': 'c_4711' }, DateLessThan: { 'aws:CurrentTime': END } },
        },
        over('*'),
      ],
    });
  });

  test('other STS than AWS’s are told so of each service that was allowed', () => {
    const settings = {
      ...registered(),
      policy: {
        Version: '2012-10-17',
        Statement: [
          {
            Effect: 'Allow',
            Action: ['s3:GetObject', 'sqs:SendMessage'],
            Resource: { $join: ['arn:aws:s3:::b/', { $param: 'customer' }] },
          },
          { Effect: 'Allow', Action: 's3:ListBucket', Resource: '*' },
          { Effect: 'Deny', Action: 'kms:Decrypt', Resource: '*' },
        ],
      },
    };
    const { Statement: statements } = render(settings, GOOD, 'services');
    assert.deepEqual((statements as readonly Json[]).at(-1), over(['s3:*', 'sqs:*']));
  });

  test('the end joins dates that the template asks for itself', () => {
    const { Statement: statements } = render(
      registered({
        Sid: 'Recent',
        Effect: 'Allow',
        Action: 's3:GetObject',
        Resource: { $join: ['arn:aws:s3:::exports/', { $param: 'customer' }, '/*'] },
        Condition: { DateLessThan: { 's3:object-lock-retain-until-date': '2030-01-01T00:00:00Z' }, Bool: { 'aws:SecureTransport': true } },
      }),
      GOOD,
    );
    assert.deepEqual((statements as readonly Json[])[0], {
      Sid: 'Recent',
      Effect: 'Allow',
      Action: 's3:GetObject',
      Resource: 'arn:aws:s3:::exports/c_4711/*',
      Condition: {
        DateLessThan: { 's3:object-lock-retain-until-date': '2030-01-01T00:00:00Z', 'aws:CurrentTime': END },
        Bool: { 'aws:SecureTransport': 'true' },
      },
    });
  });

  test('a denial of its own does not end', () => {
    const { Statement: statements } = render(
      {
        ...registered(),
        parameters: {},
        policy: {
          Version: '2012-10-17',
          Statement: [
            { Effect: 'Allow', Action: 's3:GetObject', Resource: '*' },
            { Effect: 'Deny', Action: ['s3:GetObject'], Resource: ['arn:aws:s3:::exports/secret/*'] },
          ],
        },
      },
      {},
    );
    assert.deepEqual((statements as readonly Json[])[1], {
      Effect: 'Deny',
      Action: 's3:GetObject',
      Resource: 'arn:aws:s3:::exports/secret/*',
    });
  });
});

/** Everything that some reader of a policy, a path or a URL takes for more than a letter. */
const TEXTS: readonly (readonly [what: string, value: string])[] = [
  ['nothing', ''],
  ['a wildcard', '*'],
  ['a wildcard behind', 'c*'],
  ['a wildcard before', '*c'],
  ['a wildcard for one', 'c?'],
  ['an escaped wildcard', `\${*}`],
  ['a policy variable', `\${aws:username}`],
  ['a policy variable with a default', `\${aws:PrincipalTag/team, '*'}`],
  ['half a policy variable', '${'],
  ['the other half', '}'],
  ['a dollar', '$'],
  ['a quote', 'c"'],
  ['a quote and a statement', 'c"},{"Effect":"Allow","Action":"*","Resource":"*"'],
  ['a single quote', "c'"],
  ['a backslash', 'c\\'],
  ['an escaped quote', 'c\\"'],
  ['an escape', '\\u002a'],
  ['a slash', 'c/d'],
  ['a slash before', '/c'],
  ['a slash behind', 'c/'],
  ['the folder above', '..'],
  ['the folder above, and another', '../other'],
  ['this folder', '.'],
  ['a dot', 'c.d'],
  ['a colon', 'c:d'],
  ['another ARN', 'arn:aws:s3:::other/*'],
  ['a comma', 'c,d'],
  ['a space', 'c d'],
  ['a space behind', 'c '],
  ['a percent sign', '%2a'],
  ['an encoded slash', 'c%2Fd'],
  ['a plus', 'c+d'],
  ['an at sign', 'c@d'],
  ['an equals sign', 'c=d'],
  ['brackets', '[c]'],
  ['braces', '{c}'],
  ['a line break behind', 'c\n'],
  ['a carriage return', 'c\r'],
  ['a NUL', 'c\0'],
  ['an escape character', 'c\u001b'],
  ['a delete character', 'c\u007f'],
  ['a wide asterisk', '\uff0a'],
  ['a low asterisk', '\u204e'],
  ['a wide slash', 'c\uff0fd'],
  ['a division slash', 'c\u2215d'],
  ['wide dots', '\uff0e\uff0e'],
  ['a wide letter', '\uff43'],
  ['a Cyrillic letter', '\u0441'],
  ['a Kelvin sign', '\u212a'],
  ['a long s', '\u017f'],
  ['an accent', 'e\u0301'],
  ['a soft hyphen', 'c\u00add'],
  ['a zero width space', 'c\u200bd'],
  ['text turned round', 'c\u202ed'],
  ['a line separator', 'c\u2028d'],
  ['a byte order mark', '\ufeffc'],
  ['a lone surrogate', '\ud800'],
  ['an emoji', '\u{1f4a3}'],
  ['a dotless i', 'c\u0131'],
  ['129 letters', 'c'.repeat(129)],
  ['100,000 letters', 'c'.repeat(100_000)],
];
/** Of other types, as JSON has them. */
const OTHERS: readonly (readonly [what: string, value: Json | undefined])[] = [
  ['null', null],
  ['true', true],
  ['a number', 7],
  ['a list of one', ['c']],
  ['an object', { toString: 'c' }],
  ['a placeholder', { $param: 'customer' }],
  ['a document', { $join: ['*'] }],
  ['absence', undefined],
];

suite('arguments that would mean more', () => {
  for (const [what, value] of [...TEXTS, ...OTHERS]) {
    test(`as a segment: ${what}`, () => {
      const args = { ...GOOD, customer_id: value } as JsonObject;
      assert.deepEqual(fillParameters(everything.parameters, args), { ok: false, error: 'segment:customer_id' });
    });
  }
  for (const [what, value] of [
    ...TEXTS,
    ...OTHERS,
    ['another value', 'USD'],
    ['other case', 'eur'],
    ['a member of every object', 'constructor'],
  ] as const) {
    test(`as an enum: ${what}`, () => {
      const args = { ...GOOD, currency: value } as JsonObject;
      assert.deepEqual(fillParameters(everything.parameters, args), { ok: false, error: 'enum:currency' });
    });
  }
  const ID = '0f8fad5b-d9cb-469f-a165-70867728950e';
  for (const [what, value] of [
    ...TEXTS,
    ...OTHERS,
    ['upper case', ID.toUpperCase()],
    ['braces', `{${ID}}`],
    ['a name', `urn:uuid:${ID}`],
    ['no dashes', ID.replaceAll('-', '')],
    ['a line break', `${ID}\n`],
    ['a wildcard in place of a digit', ID.replace('0f', '0*')],
  ] as const) {
    test(`as a UUID: ${what}`, () => {
      assert.deepEqual(fillParameters(everything.parameters, { ...GOOD, order: value } as JsonObject), { ok: false, error: 'uuid:order' });
    });
  }
  for (const [what, value] of [
    ...TEXTS,
    ...OTHERS.filter(([, value]) => value !== 7),
    ['digits as text', '2026'],
    ['a fraction', 0.5],
    ['less than nothing', -1],
    ['more than is exact', 2 ** 53],
    ['a number that is written with an exponent', 1e21],
    ['no number', Number.NaN],
    ['no end', Number.POSITIVE_INFINITY],
  ] as const) {
    test(`as an integer: ${what}`, () => {
      assert.deepEqual(fillParameters(everything.parameters, { ...GOOD, year: value } as JsonObject), { ok: false, error: 'integer:year' });
    });
  }
  test('an argument that is only inherited is none', () => {
    const args = Object.assign(Object.create({ customer_id: 'c' }), { year: 1, currency: 'EUR', order: ID }) as JsonObject;
    assert.deepEqual(fillParameters(everything.parameters, args), { ok: false, error: 'segment:customer_id' });
  });

  test('whatever is asked, the document is the template’s but for the value in its place, and never too long', () => {
    const { template, parameters } = settingsOf(registered());
    const document = (value: string): string => renderPolicy(template, new Map([['customer', value]]), END, 'everything');
    const [before = '', after = ''] = document('VALUE').split('VALUE');
    let passed = 0;
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: fc.constantFrom(...'aZ09_-*?$/.') }), fc.json()), (value) => {
        const filled = fillParameters(parameters, { customer_id: value });
        if (!filled.ok) return;
        passed++;
        const text = renderPolicy(template, filled.value, END, 'everything');
        assert.equal(text, before + value + after);
        assert.match(value, /^[A-Za-z0-9_-]{1,128}$/);
        assert.ok(text.length <= MAX_POLICY_LENGTH);
      }),
      { numRuns: 5_000 },
    );
    assert.ok(passed > 100);
  });
});
