/** Names where AWS takes few characters: always taken, never shared. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AWS_NAME, awsName } from '../../../src/mint/minter-aws-names.ts';

for (const [name, expected] of [
  ['txn_6b1f00f3a1000123456789abcdef01', 'txn_6b1f00f3a1000123456789abcdef01'],
  ['refund-bot', 'refund-bot'],
  ['people:u_alice', 'people=3au_alice'],
  ['people=3au_alice', 'people=3d3au_alice'],
  ['', '=='],
  ['a', '=61'],
  ['=61', '=3d61'],
  ['é', '=c3=a9'],
  ['a+b', 'a=2bb'],
  ['x'.repeat(64), 'x'.repeat(64)],
  ['x'.repeat(65), 'xxxxxxxxxxxxxxxxxxxx+SNsfxLBUEWO-77ACFpMI322v-gw2NFpTXVHJ9a5NNac'],
] as const) {
  test(`${name.slice(0, 30)} is ${expected.slice(0, 30)}`, () => assert.equal(awsName(name), expected));
}

test('what has no spelling in UTF-8 is not taken for what stands in its place', () => {
  const names = ['\ud800', '\udfff', '\ufffd', 'a\ud800', 'a\ufffd', '=ef=bf=bd'].map(awsName);
  assert.equal(new Set(names).size, names.length);
});

test('every name is taken, and no two are one', () => {
  const seen = new Map<string, string>();
  const unit = fc.constantFrom(...'aZ0_.@-+=:/ \n*é\u{1f4a3}\ud800'.split(/(?:)/u));
  const names = fc.oneof(fc.string({ unit, maxLength: 6 }), fc.string({ unit, maxLength: 90 }), fc.string({ unit: 'binary' }), fc.string());
  fc.assert(
    fc.property(names, (name) => {
      const spelt = awsName(name);
      assert.match(spelt, AWS_NAME);
      const other = seen.get(spelt);
      assert.ok(other === undefined || other === name, `${JSON.stringify(name)} and ${JSON.stringify(other)} are both ${spelt}`);
      seen.set(spelt, name);
      // What was spelt is a name too, and must not be taken for what it stands for.
      assert.ok(awsName(spelt) !== spelt || spelt === name, `${JSON.stringify(spelt)} stands for itself and for ${JSON.stringify(name)}`);
    }),
    { numRuns: 20_000 },
  );
});
