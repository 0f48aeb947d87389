/** A yes that its person's passkey signs: registered, asked for, signed, told, and checked again from what was told. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { verifyLedger } from '../../scripts/verify-ledger.ts';
import { canonical, digest, sha256 } from '../../src/wire/digest.ts';
import type { JsonObject } from '../../src/wire/json.ts';
import { softPasskey } from '../support/passkey.ts';
import { type Rig, startRig } from '../support/rig.ts';
import { asking, CUSTOMER, deletion, operator, pending, poll, said, vote } from './approving.ts';
import { editBundle } from './front-door.ts';
import { approver, cast, challengeOf, holder, offerTo, PROVEN, register, removePasskey, signedVote } from './keyholders.ts';
import { erase, planned, states } from './planning.ts';
import { logIn } from './visiting.ts';

const PRIVACY = '@approval("team:privacy")';
let rig: Rig;
before(async () => {
  rig = await startRig({ host: 'localhost', console: {}, bundle: (folder) => editBundle(folder, 'people.cedar', PRIVACY, PROVEN) });
});
after(() => rig.stop());
const last = async (kind: string) => (await rig.entries()).findLast((entry) => entry.kind === kind);

describe('a passkey of one’s own', () => {
  it('is registered, shown, told with its key, and removed', async () => {
    const dora = await logIn(rig, { sub: 'u_dora', roles: [] });
    assert.deepEqual((await dora.get('/operator/passkeys')).body, { usable: true, passkeys: [] });
    const passkey = softPasskey({ origin: rig.issuer });
    const made = await register(dora, passkey);
    assert.deepEqual([made.status, made.body['label']], [200, 'key ring'], made.text);
    const told = await last('passkey');
    const { step, credential, public_key: key, origin } = told?.context ?? {};
    assert.deepEqual([told?.by, step, credential, key, origin], ['people:u_dora', 'register', passkey.id, passkey.publicKey, rig.issuer]);
    const { id } = ((await dora.get('/operator/passkeys')).body['passkeys'] as readonly { readonly id: string }[])[0] ?? { id: '' };
    assert.equal(id, made.body['id']);
    const other = await logIn(rig, { sub: 'u_eve', roles: ['approver', 'operator'] });
    assert.deepEqual((await other.get('/operator/passkeys')).body['passkeys'], []);
    assert.equal((await other.post(`/operator/passkeys/${id}/remove`)).status, 404);
    assert.equal((await removePasskey({ visit: dora, passkey })).status, 200);
    assert.equal((await last('passkey'))?.context?.['step'], 'remove');
    assert.deepEqual((await dora.get('/operator/passkeys')).body['passkeys'], []);
    assert.equal((await register(dora, passkey)).status, 409, 'what was removed does not come back');
  });
  it('is nobody’s business on the local socket', async () => {
    for (const path of ['/operator/passkeys', '/operator/passkeys/options', '/operator/passkeys/challenge'])
      assert.equal((await operator(rig, 'GET', path)).status, 404);
  });
});

describe('a vote that a passkey signs', () => {
  it('is demanded, and met by what anybody can make again from the ledger', async () => {
    const alice = await holder(rig, 'u_alice');
    const { code, id } = await pending(rig);
    const shown = (await alice.visit.get(`/operator/approvals/${id}`)).body;
    assert.deepEqual(shown['demand'], { who: ['team:privacy'], quorum: 1, proof: 'passkey' });
    const bare = await cast(alice.visit, id, undefined);
    assert.deepEqual([...said(bare), bare.body['detail']], [403, 'access_denied', 'proof_needed']);
    const local = await vote(rig, id);
    assert.equal((local.body as JsonObject)['detail'], 'proof_needed', 'an operator’s word is no proof');

    const asked = await alice.visit.post(`/operator/approvals/${id}/challenge`);
    const { options, signed, salt } = asked.body as unknown as {
      readonly options: JsonObject;
      readonly signed: JsonObject;
      readonly salt: string;
    };
    const of = String(asked.body['arguments_digest']);
    assert.equal(options['challenge'], sha256(canonical(signed)));
    const action = signed['action'] as JsonObject;
    assert.deepEqual([of, action['arguments']], [digest(CUSTOMER), digest({ arguments_digest: digest(CUSTOMER), salt })]);
    assert.deepEqual(
      { ...signed, action: { ...action, arguments: '' } },
      {
        type: 'urn:countersign:approval:v1',
        action: {
          client: 'refund-bot',
          subject: 'people:u_carol',
          actors: ['refund-bot'],
          resource: shown['resource'],
          tool: 'delete_customer',
          credential: 'jwt',
          arguments: '',
        },
        approval: id,
        bundle: shown['bundle'],
        expires: Number(shown['made']) + 900,
        vote: 'approve',
      },
    );
    const assertion = alice.passkey.sign(String(options['challenge']));
    const voted = await cast(alice.visit, id, assertion);
    assert.deepEqual([voted.status, voted.body['state']], [200, 'approved'], voted.text);
    assert.equal((voted.body['votes'] as readonly JsonObject[])[0]?.['proof'], 'passkey');
    assert.equal((await poll(rig, code)).status, 200);
    const { words } = (await operator(rig, 'GET', `/operator/explain/${id}`)).body as { readonly words: readonly string[] };
    assert.match(words.join('\n'), new RegExp(`signed +with the passkey ${alice.passkey.id}`));
    const entry = await last('approved');
    const proof = entry?.context?.['passkey'] as JsonObject;
    assert.deepEqual(
      [proof['credential'], proof['public_key'], proof['arguments']],
      [alice.passkey.id, alice.passkey.publicKey, action['arguments']],
    );
    assert.equal(JSON.stringify(await rig.entries()).includes(of), false, 'the ledger lets nobody guess the arguments');
    const [own] = (await alice.visit.get('/operator/passkeys')).body['passkeys'] as readonly JsonObject[];
    assert.equal(typeof own?.['used'], 'number');
  });

  it('is asked of nobody who has none', async () => {
    const { id } = await pending(rig, deletion('no passkey'));
    const asked = await (await approver(rig, 'u_new')).post(`/operator/approvals/${id}/challenge`);
    assert.deepEqual([asked.status, asked.body['detail']], [403, 'passkey_none']);
  });

  it('signs a confirmation too', async () => {
    const folder = join(rig.folder, 'policies');
    await editBundle(folder, 'people.cedar', PROVEN, '@confirm @approval_proof("passkey")');
    await rig.app.reload();
    const carol = await holder(rig, 'u_carol');
    const { id } = await pending(rig, deletion('confirmed'));
    const path = `/operator/confirmations/${id}`;
    const bare = await carol.visit.post(path, { vote: 'approve', reason: 'mine' });
    assert.equal(bare.body['detail'], 'proof_needed');
    const other = await approver(rig, 'u_alice');
    assert.equal((await other.post(`${path}/challenge`)).status, 404);
    const assertion = carol.passkey.sign(await challengeOf(carol.visit, id, {}, 'confirmations'));
    const voted = await carol.visit.post(path, { vote: 'approve', reason: 'mine', assertion });
    assert.deepEqual([voted.status, voted.body['state']], [200, 'approved'], voted.text);
    await editBundle(folder, 'people.cedar', '@confirm @approval_proof("passkey")', PROVEN);
    await rig.app.reload();
  });

  it('of a plan it signs which steps', async () => {
    const bea = await holder(rig, 'u_bea');
    const { code, id } = await planned(rig, [erase('step-1'), erase('step-2')]);
    const sign = async (steps: readonly number[]) => bea.passkey.sign(await challengeOf(bea.visit, id, { steps }));
    const more = await cast(bea.visit, id, await sign([0]), { steps: [0, 1] });
    assert.deepEqual([more.status, more.body['detail']], [403, 'proof_challenge']);
    assert.equal((await cast(bea.visit, id, await sign([0]))).body['detail'], 'proof_challenge', 'nor all of them');
    assert.equal((await cast(bea.visit, id, await sign([0]), { steps: [0] })).status, 200);
    assert.deepEqual(await states(rig, code), ['approved', 'agreed', 'refused']);
    const report = await verifyLedger(join(rig.folder, 'data', 'countersign.db'));
    assert.deepEqual([report.ok, report.proofs > 0], [true, true], JSON.stringify(report.bad));
  });

  it('a no needs no passkey', async () => {
    const { id } = await pending(rig, deletion('denied'));
    const visit = await approver(rig, 'u_alice');
    const voted = await visit.post(`/operator/approvals/${id}`, { vote: 'deny', reason: 'no' });
    assert.equal(voted.body['state'], 'denied');
  });

  it('one that does not count signs as often as it likes, each action once', async () => {
    const bob = await holder(rig, 'u_bob', false);
    for (const name of ['first', 'second']) {
      const { id } = await pending(rig, deletion(`synchronised ${name}`));
      assert.equal((await signedVote(bob, id)).status, 200);
      assert.deepEqual((await signedVote(bob, id).catch(() => undefined))?.status, undefined, 'no challenge for what is decided');
    }
  });

  it('of 50 who sign at once with one passkey one counts', async () => {
    const zoe = await holder(rig, 'u_zoe');
    const { id } = await pending(rig, deletion('fifty'));
    const challenge = await challengeOf(zoe.visit, id);
    const assertions = Array.from({ length: 50 }, () => zoe.passkey.sign(challenge));
    const answers = await Promise.all(assertions.map((assertion) => cast(zoe.visit, id, assertion)));
    assert.equal(answers.filter(({ status }) => status === 200).length, 1);
    assert.equal((await rig.entries()).filter((entry) => entry.kind === 'approved' && entry.approval === id).length, 1);
  });
});

describe('where no passkey can be shown', () => {
  for (const [where, options] of [
    ['nobody can log in', {}],
    ['the console is reached by an address', { console: {} }],
  ] as const)
    it(`what needs one is refused at once: ${where}`, async () => {
      const plain = await startRig({ ...options, bundle: (folder) => editBundle(folder, 'people.cedar', PRIVACY, PROVEN) });
      try {
        const answer = await asking(plain);
        assert.deepEqual([...said(answer), answer.body['reason']], [403, 'access_denied', 'approval_needed']);
      } finally {
        await plain.stop();
      }
    });
});

describe('an offer', () => {
  it('is for one person, once, for five minutes', async () => {
    const [fay, gus] = [await approver(rig, 'u_fay'), await approver(rig, 'u_gus')];
    const passkey = softPasskey({ origin: rig.issuer });
    const response = passkey.register(await offerTo(fay));
    assert.equal((await gus.post('/operator/passkeys', { label: 'x', response })).body['detail'], 'proof_challenge');
    assert.equal((await fay.post('/operator/passkeys', { label: 'x', response })).status, 200);
    const again = await fay.post('/operator/passkeys', { label: 'x', response });
    assert.deepEqual(said(again), [409, 'state_conflict']);
    assert.equal((await fay.post('/operator/passkeys', { label: '', response })).status, 400);
    assert.equal((await fay.post('/operator/passkeys', { label: 'x', response, more: 1 })).status, 400);
  });
});
