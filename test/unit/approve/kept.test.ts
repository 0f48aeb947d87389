/** A record that no broker wrote is none, whatever stands where its MAC should be: read, and no fault. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { it } from 'node:test';
import { createKeeper } from '../../../src/approve/kept.ts';
import { createPasskeyKeeper, type Passkey } from '../../../src/approve/passkeys.ts';
import type { Approval } from '../../../src/approve/state.ts';
import type { Secret } from '../../../src/keys/secret.ts';
import type { Claim, Id } from '../../../src/model.ts';
import type { Json, JsonObject } from '../../../src/wire/json.ts';

const secret: Secret = {
  seal: (_, value) => JSON.stringify(value),
  open: (_, sealed) => JSON.parse(String(sealed)),
  mac: (purpose, text) => createHmac('sha256', purpose).update(text).digest('base64url'),
};
const ID: Id<'apr'> = `apr_${'0'.repeat(32)}`;
const approval = { id: ID, state: 'pending', until: 1, demand: { who: [], quorum: 1, ttlSeconds: 1 } } as unknown as Approval;
const passkey: Passkey = { credential: 'AAAA', publicKey: 'AAAA', counter: 0, person: 'people:u', label: '', transports: [], made: 1 };
const keeper = createKeeper(secret);
const passkeys = createPasskeyKeeper(secret);
const KINDS: readonly (readonly [string, Claim, (value: Json, version: number) => unknown])[] = [
  ['an approval', keeper.write({ version: 0, approval }, approval, 'fault'), (value, version) => keeper.read(ID, { value, version })],
  ['a passkey', passkeys.write({ version: 0, passkey }, passkey, 'fault'), (value, version) => passkeys.read({ value, version })],
  [
    'how many passkeys a person has',
    passkeys.hold('people:u', { version: 0 }, 1, 'fault'),
    (value, version) => passkeys.holding('people:u', { value, version }),
  ],
];
for (const [name, claim, read] of KINDS)
  it(name, () => {
    const value = ('value' in claim ? claim.value : undefined) as JsonObject;
    assert.notEqual(read(value, 1), undefined);
    assert.equal(read(value, 2), undefined, 'put back at a later version');
    const mac = String(value['mac']);
    for (const other of ['', 'A'.repeat(mac.length), 'é'.repeat(mac.length), '💥'.repeat(21), `${mac}A`, mac.slice(1), 7, null, [mac]])
      assert.equal(read({ ...value, mac: other as Json }, 1), undefined, String(other));
    for (const other of ['text', [], {}, null]) assert.equal(read(other, 1), undefined);
  });
