/**
 * One oracle for every hostile request: the stated answer, no credential, one entry with the real reason, nothing presented outside of the
 * ledger and no secret even there, nobody asked but the configured issuer, and the next good request works.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { verifyLedger } from '../../scripts/verify-ledger.ts';
import type { Entry } from '../../src/model.ts';
import { type Answer, type Asking, answerOf, REFUND, type Rig, type RigOptions, startRig } from '../support/rig.ts';
import { setTrap, type Trap, watchOutbound } from './trap.ts';

export interface Case {
  readonly name: string;
  readonly asking: (rig: Rig, trap: Trap) => Asking | Promise<Asking>;
  readonly status: number;
  readonly error: string;
  /** What the ledger says; the detail too where one is named. */
  readonly reason: string;
  readonly detail?: string;
  /** The policy's own code, which the caller sees too. */
  readonly code?: string;
}
/** Stands wherever free text goes: it may reach the ledger and nothing else. */
export const CANARY = 'canary-5f0e7c1d';
/** Stands in arguments, claims, headers and unknown parameters: it may reach nothing at all. */
export const SECRET = 'secret-91ab44e0';

/** A broker with what watches over it. */
export interface Ground {
  readonly rig: Rig;
  readonly trap: Trap;
  /** Whom this process has tried to reach that it never may. */
  strangers(): readonly string[];
  stop(): Promise<void>;
}
const outbound = watchOutbound();
/** Who may be asked in this process: its brokers, by its own tests, and the issuers that they are configured with. */
const known = new Set<string>();

/** `friends`: further addresses that may be asked, as `host:port`. */
export async function openGround(options: RigOptions = {}, friends: readonly string[] = []): Promise<Ground> {
  const [rig, trap] = [await startRig(options), await setTrap()];
  for (const host of [...friends, ...[rig.issuer, rig.idp.issuer].map((url) => new URL(url).host)]) known.add(host);
  return {
    rig,
    trap,
    strangers: () => [...outbound.tried].filter((to) => !known.has(to)),
    async stop() {
      await rig.stop();
      await trap.close();
    },
  };
}

/** Canaries in every place that the case leaves alone. */
export function laden(asking: Asking): Asking {
  return {
    ...asking,
    args: asking.args ?? { ...REFUND, payment_id: SECRET },
    entry: { purpose: CANARY, context: { session: CANARY }, ...asking.entry },
    ...(asking.subject !== null && { subject: { ...asking.subject, claims: { email: SECRET, ...asking.subject?.claims } } }),
    headers: { 'user-agent': SECRET, cookie: `id=${SECRET}`, 'x-forwarded-for': SECRET, ...asking.headers },
    form: { state: SECRET, ...asking.form },
  };
}

export async function judge(ground: Ground, item: Case): Promise<Answer> {
  const { rig, trap } = ground;
  const asking = laden(await item.asking(rig, trap));
  const before = await rig.count();
  const requests = rig.idp.requests;
  const { body, headers } = await rig.form(asking);
  const answer = await answerOf(await fetch(`${rig.issuer}/token`, { method: 'POST', headers, body }));
  refusedWith(answer, item);
  const entries = await exchangesAfter(rig, before);
  assert.equal(entries.length, 1, 'exactly one entry');
  const [entry] = entries;
  const said = { kind: entry?.kind, reason: entry?.reason, detail: item.detail === undefined ? undefined : entry?.detail };
  assert.deepEqual(said, { kind: 'refused', reason: item.reason, detail: item.detail });
  if (item.code !== undefined) assert.deepEqual([entry?.code, answer.body['reason']], [item.code, item.code]);
  assert.equal(answer.body['decision_id'], entry?.exchange);
  keptQuiet(rig, answer, [entry], [...presentedIn(body), headers['dpop']]);
  assert.ok(rig.idp.requests - requests <= 2, 'the issuer is asked once at most');
  return answer;
}

/** A refusal of ours: the stated status and error, no credential, not to be stored. */
export function refusedWith(answer: Answer, { status, error }: Pick<Case, 'status' | 'error'>): void {
  assert.deepEqual([answer.status, answer.body['error']], [status, error], answer.text);
  assert.equal('access_token' in answer.body, false, 'no credential in a refusal');
  assert.equal(answer.headers.get('cache-control'), 'no-store');
}

/** The entries of exchanges since; the bundle's own left out. */
export const exchangesAfter = async (rig: Rig, after: number): Promise<readonly Entry[]> =>
  (await rig.entries(after)).filter((entry) => entry.request !== 'bundle');

/** Nothing presented stands in answer, log or ledger, but what the ledger is for. */
export function keptQuiet(rig: Rig, answer: Answer, entries: readonly unknown[], presented: readonly (string | undefined)[] = []): void {
  const shown = [answer.text, JSON.stringify([...answer.headers]), rig.log.join('')].join('\n');
  const ledger = JSON.stringify(entries);
  assert.equal(shown.includes(CANARY), false, 'no canary outside of the ledger');
  for (const secret of [SECRET, ...presented]) {
    // Short strings stand everywhere by chance.
    if (secret === undefined || secret.length < 12) continue;
    assert.equal(shown.includes(secret) || ledger.includes(secret), false, 'nothing secret anywhere');
  }
}
const TOKENS = ['client_assertion', 'subject_token', 'actor_token'];
const presentedIn = (body: string): readonly string[] => {
  const form = new URLSearchParams(body);
  return TOKENS.flatMap((name) => form.getAll(name));
};

/** What must hold at any time: the chain verifies, metrics name nobody, the trap has caught nobody. */
export async function settled({ rig, trap, strangers }: Ground): Promise<void> {
  const verified = await verifyLedger(join(rig.folder, 'data', 'countersign.db'));
  assert.equal(verified.ok, true, 'the chain verifies');
  const metrics = await (await fetch(`${rig.issuer}/metrics`)).text();
  assert.match(metrics, /countersign_entries_total/);
  for (const name of [CANARY, SECRET, 'refund-bot', 'u_bob', 'create_refund'])
    assert.equal(metrics.includes(name), false, 'no identity in metrics');
  assert.equal(trap.sprung(), 0, 'nobody went where a request pointed');
  assert.deepEqual(strangers(), [], 'nobody but the configured issuer was asked');
}

export type Table = readonly [name: string, cases: readonly Case[]];
/** Each case, then a good request; after each table what must hold at any time. */
export function runTables(tables: readonly Table[], options: RigOptions = {}): void {
  let ground: Ground;
  before(async () => {
    ground = await openGround(options);
  });
  after(() => ground.stop());
  for (const [name, cases] of tables) {
    describe(name, () => {
      for (const [index, item] of cases.entries()) {
        test(`${index + 1} ${item.name}`, async () => {
          await judge(ground, item);
          assert.equal((await ground.rig.ask()).status, 200, 'the next good request works');
        });
      }
      test('then: the chain verifies, metrics name nobody, nobody else was asked', () => settled(ground));
    });
  }
}
