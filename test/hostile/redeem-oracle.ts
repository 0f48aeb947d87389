/** The same oracle (oracle.ts) for what tool servers ask: the stated answer, nothing made, one entry with the real reason, nobody told a secret. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { addSecondServer, addToBundle } from '../flow/front-door.ts';
import { type Redeeming, redeem, redeemForm, send, toyRig } from '../flow/redeeming.ts';
import type { TestKey } from '../support/keys.ts';
import type { Answer, Rig, RigOptions } from '../support/rig.ts';
import { type ToyProgram, toyProgram } from '../support/toy.ts';
import { type Case, exchangesAfter, type Ground, keptQuiet, openGround, refusedWith, SECRET, settled } from './oracle.ts';

export interface RedeemCase extends Pick<Case, 'name' | 'status' | 'error' | 'reason' | 'detail'> {
  readonly redeeming: (ground: RedeemGround) => Redeeming | Promise<Redeeming>;
}
export interface RedeemGround extends Ground {
  readonly program: ToyProgram;
  /** A tool server beside the shop. */
  readonly billing: TestKey;
  stop(): Promise<void>;
}

/** So that an action has more than one actor. */
const TRIAGE = `
@id("triage-bot-notes")
@owner("people:u_bob")
permit (principal == Actor::"triage-bot", action == shop::Action::"read_note", resource == Server::"shop");
`;
export async function openRedeemGround(options: RigOptions = {}): Promise<RedeemGround> {
  const program = await toyProgram();
  const toy = toyRig(program);
  let billing: TestKey | undefined;
  const ground = await openGround({
    ...toy,
    ...options,
    bundle: async (folder) => {
      await toy.bundle?.(folder);
      billing = await addSecondServer(folder);
      await addToBundle(folder, 'triage.cedar', TRIAGE);
      await options.bundle?.(folder);
    },
  });
  if (!billing) throw new Error('the bundle was not read');
  return {
    ...ground,
    program,
    billing,
    async stop() {
      await ground.stop();
      program.remove();
    },
  };
}

/** What was redeemed may end at any time, with an entry of its own. */
const asked = async (rig: Rig, seq: number) => (await exchangesAfter(rig, seq)).filter(({ kind }) => kind !== 'ended');
const SECRETS = ['client_assertion', 'subject_token', 'action_proof', 'credential_request'];

export async function judgeRedeem(ground: RedeemGround, item: RedeemCase): Promise<Answer> {
  const { rig, program } = ground;
  const given = await item.redeeming(ground);
  const { body, headers } = await redeemForm(rig, {
    ...given,
    headers: { 'user-agent': SECRET, cookie: `id=${SECRET}`, ...given.headers },
    form: { state: SECRET, ...given.form },
  });
  const [before, made] = [await rig.count(), program.backEnd.made.length];
  const answer = await send(rig, { body, headers });
  refusedWith(answer, item);
  const entries = await asked(rig, before);
  assert.equal(entries.length, 1, 'exactly one entry');
  const [entry] = entries;
  const said = { kind: entry?.kind, reason: entry?.reason, detail: item.detail === undefined ? undefined : entry?.detail };
  assert.deepEqual(said, { kind: 'refused', reason: item.reason, detail: item.detail });
  assert.equal(answer.body['decision_id'], entry?.exchange);
  assert.equal(program.backEnd.made.length, made, 'nothing was made');
  const form = new URLSearchParams(body);
  keptQuiet(
    rig,
    answer,
    entries,
    SECRETS.flatMap((name) => form.getAll(name)),
  );
  return answer;
}

export type RedeemTable = readonly [name: string, cases: readonly RedeemCase[]];
/** Each case, then a good redemption; after each table what must hold at any time. */
export function runRedeemTables(tables: readonly RedeemTable[]): void {
  let ground: RedeemGround;
  before(async () => {
    ground = await openRedeemGround();
  });
  after(() => ground?.stop());
  for (const [name, cases] of tables) {
    describe(name, () => {
      for (const [index, item] of cases.entries()) {
        test(`${index + 1} ${item.name}`, async () => {
          await judgeRedeem(ground, item);
          assert.equal((await redeem(ground.rig)).status, 200, 'the next good redemption works');
        });
      }
      test('then: the chain verifies, metrics name nobody, nobody else was asked', () => settled(ground));
    });
  }
}
