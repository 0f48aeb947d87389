/** The ledger of people who signed, held against itself offline: whole, and with each thing in it that somebody could have written otherwise. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { verifyLedger, verifyRows } from '../../scripts/verify-ledger.ts';
import { link, type Row, START } from '../../src/store/chain.ts';
import type { JsonObject } from '../../src/wire/json.ts';
import { softPasskey } from '../support/passkey.ts';
import { type Rig, startRig } from '../support/rig.ts';
import { deletion, pending } from './approving.ts';
import { editBundle } from './front-door.ts';
import { challengeOf, type Holder, holder, PROVEN, signedVote } from './keyholders.ts';

let rig: Rig;
let alice: Holder;
let bodies: readonly JsonObject[];
let path: string;
before(async () => {
  rig = await startRig({
    host: 'localhost',
    console: {},
    bundle: (folder) => editBundle(folder, 'people.cedar', '@approval("team:privacy")', PROVEN),
  });
  alice = await holder(rig, 'u_alice');
  await holder(rig, 'u_bob');
  for (const name of ['one', 'two']) await signedVote(alice, (await pending(rig, deletion(name))).id);
  path = `${rig.folder}/data/countersign.db`;
  bodies = (await rig.app.store.scan({ term: 'entry', limit: 1_000 })).map((row) => row.value as JsonObject);
});
after(() => rig.stop());

/** As whoever can write the whole ledger would: every hash follows. */
function rewritten(entries: readonly JsonObject[]): readonly Row[] {
  let before = START.hash;
  return entries.map((entry, at) => {
    const body = JSON.stringify(entry);
    before = link(before, body);
    return { seq: at + 1, hash: before, body };
  });
}
const verified = (entries: readonly JsonObject[]) => {
  const rows = rewritten(entries);
  return verifyRows({ rows: (last) => rows.filter(({ seq }) => seq > last), torn: () => [] });
};
const isVote = (entry: JsonObject): boolean => entry['kind'] === 'approved';
const contextOf = (entry: JsonObject): JsonObject => entry['context'] as JsonObject;
/** The last vote, otherwise. */
function withVote(change: (vote: JsonObject) => JsonObject): readonly JsonObject[] {
  const at = bodies.findLastIndex(isVote);
  return bodies.map((entry, i) => (i === at ? change(entry) : entry));
}
const withProof = (change: (proof: JsonObject) => JsonObject): readonly JsonObject[] =>
  withVote((vote) => ({ ...vote, context: { ...contextOf(vote), passkey: change(contextOf(vote)['passkey'] as JsonObject) } }));
const flipped = (text: unknown): string => String(text).replace(/^./, (c) => (c === 'A' ? 'B' : 'A'));
const CHALLENGE = 'a passkey signed something else than what this entry says';
const STRANGER = 'a signature is not by a passkey that its person had registered';

describe('verify-ledger and what people signed', () => {
  it('counts and checks each, beside the running broker', async () => {
    const report = await verifyLedger(path);
    assert.deepEqual([report.ok, report.proofs], [true, 2], JSON.stringify(report.bad));
    assert.deepEqual([(await verified(bodies)).ok, (await verified(bodies)).proofs], [true, 2]);
  });

  const FACTS: readonly (readonly [string, JsonObject])[] = [
    ['client', { client: 'triage-bot' }],
    ['subject', { subject: 'people:u_dave' }],
    ['actors', { actors: ['refund-bot', 'triage-bot'] }],
    ['resource', { resource: 'https://elsewhere.example/mcp' }],
    ['tool', { tool: 'list_orders' }],
    ['credential', { credential: 'aws' }],
    ['approval', { approval: `apr_${'0'.repeat(32)}` }],
    ['bundle', { bundle: '0'.repeat(64) }],
  ];
  for (const [name, other] of FACTS)
    it(`names a vote whose ${name} was written otherwise`, async () => {
      const { ok, bad } = await verified(withVote((vote) => ({ ...vote, ...other })));
      assert.deepEqual([ok, bad?.why, bad?.seq], [false, CHALLENGE, bodies.findLastIndex(isVote) + 1]);
    });
  const PROOFS: readonly (readonly [string, (proof: JsonObject) => JsonObject, string])[] = [
    ['other arguments', (proof) => ({ ...proof, arguments: `sha-256:${'A'.repeat(43)}` }), CHALLENGE],
    ['another end', (proof) => ({ ...proof, expires: Number(proof['expires']) + 60 }), CHALLENGE],
    ['steps of a plan', (proof) => ({ ...proof, steps: [0] }), CHALLENGE],
    ['another signature', (proof) => ({ ...proof, signature: flipped(proof['signature']) }), 'a passkey’s signature does not hold'],
    ['another passkey', (proof) => ({ ...proof, credential: flipped(proof['credential']) }), STRANGER],
    ['another public key', (proof) => ({ ...proof, public_key: softPasskey({ origin: 'http://x' }).publicKey }), STRANGER],
    ['no client data', ({ client_data: _, ...proof }) => proof, 'what a passkey is said to have signed is not what one signs'],
    ['no end', ({ expires: _, ...proof }) => proof, 'what a passkey is said to have signed is not what one signs'],
    [
      'authenticator data without its person',
      (proof) => {
        const data = Buffer.from(String(proof['authenticator_data']), 'base64url');
        data[32] = 0x01;
        return { ...proof, authenticator_data: data.toString('base64url') };
      },
      'a passkey signed without knowing that it was its person',
    ],
  ];
  for (const [name, change, why] of PROOFS)
    it(`names a proof with ${name}`, async () => {
      const { ok, bad } = await verified(withProof(change));
      assert.deepEqual([ok, bad?.why, bad?.seq], [false, why, bodies.findLastIndex(isVote) + 1]);
    });

  it('names a vote in the name of somebody else', async () => {
    const { bad } = await verified(withVote((vote) => ({ ...vote, by: 'people:u_bob' })));
    assert.equal(bad?.why, STRANGER);
  });
  it('names a confirmation that was an approval', async () => {
    const { bad } = await verified(withVote((vote) => ({ ...vote, context: { ...contextOf(vote), vote: 'confirm' } })));
    assert.equal(bad?.why, CHALLENGE);
  });
  it('names a vote whose passkey was never registered, or removed before', async () => {
    const isAlices = (entry: JsonObject): boolean => entry['kind'] === 'passkey' && entry['by'] === 'people:u_alice';
    assert.equal((await verified(bodies.filter((entry) => !isAlices(entry)))).bad?.why, STRANGER);
    const at = bodies.findIndex(isAlices);
    const entry = bodies[at] as JsonObject;
    const reset = { ...entry, by: 'local:root', context: { step: 'reset', person: 'people:u_alice', reason: 'lost' } };
    assert.equal((await verified([...bodies.slice(0, at + 1), reset, ...bodies.slice(at + 1)])).bad?.why, STRANGER);
  });
  it('names a vote that stands there twice', async () => {
    const vote = bodies.findLast(isVote) as JsonObject;
    assert.equal((await verified([...bodies, vote])).bad?.why, 'a passkey’s signature is older than the one before it');
  });
  it('names a signature of the right person for another approval', async () => {
    const { id } = await pending(rig, deletion('three'));
    const other = alice.passkey.sign(await challengeOf(alice.visit, id)) as unknown as {
      readonly response: Readonly<Record<string, string>>;
    };
    const { authenticatorData = '', clientDataJSON = '', signature = '' } = other.response;
    const change = (proof: JsonObject) => ({ ...proof, authenticator_data: authenticatorData, client_data: clientDataJSON, signature });
    assert.equal((await verified(withProof(change))).bad?.why, CHALLENGE);
  });
});
