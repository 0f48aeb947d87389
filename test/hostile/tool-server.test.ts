/** At the tool server: each check of wire.md §5 by itself, by every way in. Nothing runs, nothing is used up, and the next good call runs once. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ARGS, actionToken, proof, TOOL } from '../unit/verify/issuer.ts';
import { type Flaw, TOKENS } from './tampered.ts';
import { ARGUMENTS, PROOFS } from './tampered-calls.ts';
import { type Answer, type Door, type Presented, WAYS } from './ways-in.ts';

for (const way of WAYS) {
  describe(`a call by ${way.name}`, () => {
    let door: Door;
    before(async () => {
      door = await way.open();
    });
    after(() => door.close());

    async function present(flaw: Partial<Flaw> = {}): Promise<Presented> {
      const { resource, issuer } = door;
      const place = { resource, issuer, form: way.form };
      const asked = flaw.token?.(place) ?? {};
      const made = await actionToken({ resource, ...asked, claims: { iss: issuer, ...asked.claims } });
      const token = flaw.rewrite ? await flaw.rewrite(made, place) : made;
      const { jwk, ...proving } = flaw.proof?.(place) ?? {};
      const proved = await proof(token, way.form, { resource, ...proving, ...(jwk && { jwk }) });
      return { token, proof: flaw.proved ? flaw.proved(proved) : proved, args: flaw.args ?? ARGS, tool: flaw.tool ?? TOOL };
    }
    const said = ({ status, error, code }: Answer): string => [status, error, code].filter((part) => part !== undefined).join(' ');
    const hasStatus = !way.name.includes('without HTTP');

    const flaws = [...TOKENS, ...ARGUMENTS, ...PROOFS].filter(({ tool }) => !(tool && way.oneTool));
    for (const [index, flaw] of flaws.entries()) {
      test(`${index + 1} ${flaw.name}: ${flaw.status} ${flaw.code}`, async () => {
        door.ran.length = 0;
        const { status, error, code } = flaw;
        assert.equal(said(await door.call(await present(flaw))), said({ ...(hasStatus && { status }), error, code }));
        assert.deepEqual(door.ran, [], 'nothing ran');
        const good = await present();
        assert.equal((await door.call(good)).code, undefined, 'the next good call');
        assert.equal(door.ran.length, 1, 'runs once');
      });
    }
    test('then a second use is 409, whatever is shown with it', async () => {
      door.ran.length = 0;
      const good = await present();
      assert.equal((await door.call(good)).code, undefined);
      const used = said({ ...(hasStatus && { status: 409 }), error: 'action_consumed', code: 'ERR_ACTION_CONSUMED' });
      assert.equal(said(await door.call(good)), used);
      const again = await proof(good.token, way.form, { resource: door.resource });
      assert.equal(said(await door.call({ ...good, proof: again })), used);
      assert.equal(door.ran.length, 1);
    });
    test('then fifty at once: one runs', async () => {
      door.ran.length = 0;
      const good = await present();
      const answers = await Promise.all(Array.from({ length: 50 }, () => door.call(good)));
      assert.equal(answers.filter(({ code }) => code === 'ERR_ACTION_CONSUMED').length, 49);
      assert.equal(door.ran.length, 1);
    });
  });
}
