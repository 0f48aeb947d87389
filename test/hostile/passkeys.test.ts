/** A signature must not be somebody else's, for something else, made elsewhere, or before: one table, exact answers, and an entry of each. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { deletion, pending } from '../flow/approving.ts';
import { editBundle } from '../flow/front-door.ts';
import { approver, holder, PROVEN, register } from '../flow/keyholders.ts';
import { softPasskey } from '../support/passkey.ts';
import { type Rig, startRig } from '../support/rig.ts';
import { places, registrations, signatures } from './cases-passkey.ts';

let rig: Rig;
before(async () => {
  rig = await startRig({
    host: 'localhost',
    console: {},
    bundle: (folder) => editBundle(folder, 'people.cedar', '@approval("team:privacy")', PROVEN),
  });
});
after(() => rig.stop());

for (const [title, cases] of [
  ['what is signed', signatures],
  ['where it is brought', places],
] as const)
  describe(title, () => {
    for (const [at, one] of cases.entries())
      it(one.name, async () => {
        const name = `${title} ${at}`;
        const { id } = await pending(rig, deletion(name));
        const by = await holder(rig, `u_${at}_${title === 'what is signed' ? 'a' : 'b'}`);
        const answer = await one.run({ rig, holder: by, id, name });
        const status = one.status ?? (one.detail === undefined ? 200 : 403);
        assert.deepEqual([answer.status, answer.body['detail']], [status, one.detail], answer.text);
        if (one.detail === undefined) return;
        const told = (await rig.entries()).findLast((entry) => entry.kind === 'refused');
        assert.deepEqual([told?.detail, told?.request], [one.detail, 'operator']);
      });
  });

describe('what becomes no passkey', () => {
  for (const [name, wrong, detail] of registrations)
    it(name, async () => {
      const visit = await approver(rig, 'u_new');
      const answer = await register(visit, softPasskey({ origin: rig.issuer }), wrong);
      assert.deepEqual([answer.status, answer.body['detail']], [403, detail], answer.text);
      assert.deepEqual((await visit.get('/operator/passkeys')).body['passkeys'], []);
    });
});
