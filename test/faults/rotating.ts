/** Keys that change under load, at a broker whose clock runs fast, and a tool server that verifies every token with the published library. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KeysStatus } from '../../src/operate/keys.ts';
import { createVerifier, memoryConsumed, VerifyError } from '../../src/verify/verify.ts';
import { sha256 } from '../support/keys.ts';
import { bareJwk, RESOURCE } from '../support/rig.ts';
import { type Broker, eventually, type House, type Launch, openHouse, operate, ROOT } from './harness.ts';
import { createLoad, type Load, type Sent, signed } from './load.ts';

export type Step = 'publish' | 'activate' | 'retire';
export interface Stage extends AsyncDisposable {
  readonly house: House;
  readonly launch: Launch;
  readonly load: Load;
  /** What became of the tokens: `good`, or the code of the refusal. */
  readonly verified: ReadonlyMap<string, number>;
  /** Names of keys that tokens were signed with. */
  readonly kids: ReadonlySet<string>;
  keys(): Promise<KeysStatus>;
  /** Waits until the broker answers and the step is possible. */
  possible(step: Step): Promise<void>;
  /** Whether it was answered as done. A broker that is killed meanwhile answers nothing. */
  step(step: Step): Promise<boolean>;
  /** All verifications have ended. */
  settled(): Promise<void>;
}

/** `speed`: seconds of the broker's clock in one of ours. */
export async function openStage(speed: number, inFlight = 4): Promise<Stage> {
  const house = await openHouse({ maxAgeSeconds: 30 });
  const base = Date.now();
  const now = (): number => Math.floor((base + (performance.timeOrigin + performance.now() - base) * speed) / 1000);
  const program = [join(ROOT, 'test/faults/fast-broker.ts'), house.config, String(speed), String(base)];
  const verifier = createVerifier({ issuer: house.issuer, resource: RESOURCE, consumed: memoryConsumed({ now }), now });
  const verified = new Map<string, number>();
  const kids = new Set<string>();
  const running = new Set<Promise<void>>();

  /** Some tokens are used at once, others when most of their minute is over, and what the verifier knew of keys with it. */
  async function verify(token: string, { wish }: Sent): Promise<void> {
    if (wish.client === 'refund-bot' && Math.random() < 0.15) await sleep(40_000 / speed);
    kids.add(String((JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()) as { kid: string }).kid));
    const proof = signed(
      wish.proofKey,
      { alg: 'ES256', typ: 'dpop+jwt', jwk: bareJwk(wish.proofKey) },
      { htm: 'POST', htu: RESOURCE, iat: now(), jti: randomUUID(), ath: sha256(token) },
    );
    let outcome = 'good';
    try {
      await verifier.verify({
        tool: wish.tool,
        arguments: { ...wish.args },
        http: { method: 'POST', url: RESOURCE, authorization: `DPoP ${token}`, dpop: proof },
      });
    } catch (fault) {
      outcome = fault instanceof VerifyError ? fault.code : String(fault);
    }
    verified.set(outcome, (verified.get(outcome) ?? 0) + 1);
  }
  // Each grant is a new action: a retry's second token would be the same action, and rightly refused.
  const load = createLoad(house, {
    inFlight,
    now,
    keyed: 0,
    onGrant: (token, sent) => {
      const work = verify(token, sent).finally(() => running.delete(work));
      running.add(work);
    },
  });
  const stage: Stage = {
    house,
    launch: { program },
    load,
    verified,
    kids,
    async keys() {
      const { status, body } = await operate(house.socket, 'GET', '/operator/keys');
      assert.equal(status, 200);
      return body as unknown as KeysStatus;
    },
    async possible(step) {
      const is = async (): Promise<boolean> => {
        const keys = await stage.keys().catch(() => undefined);
        return keys?.steps.find((one) => one.step === step)?.possible === true;
      };
      assert.ok(await eventually(is, 30_000), `${step} becomes possible`);
    },
    async step(step) {
      const answer = await operate(house.socket, 'POST', `/operator/keys/${step}`, {}).catch(() => undefined);
      return answer?.status === 200;
    },
    async settled() {
      await Promise.all(running);
    },
    [Symbol.asyncDispose]: () => house[Symbol.asyncDispose](),
  };
  return stage;
}

/** Takes the step, and kills the broker: `before` it can have answered, or right `after` it has. Goes on from where that left the keys. */
export async function killAround(stage: Stage, broker: Broker, step: Step, when: 'before' | 'after'): Promise<Broker> {
  await stage.possible(step);
  const { version } = await stage.keys();
  const asked = stage.step(step);
  if (when === 'before') setTimeout(() => broker.child.kill('SIGKILL'), Math.random() * 20);
  else assert.equal(await asked, true);
  await broker.kill();
  const done = await asked;
  const next = await stage.house.start(stage.launch);
  const taken = (await stage.keys()).version > version;
  assert.ok(taken || !done, `${step} was answered for, and is lost`);
  if (!taken) {
    await stage.possible(step);
    assert.equal(await stage.step(step), true);
  }
  return next;
}

/** `npm run rotate-keys -- rotate --wait`; `onStep` hears of each step as it is told. Returns its exit code; null: it was killed. */
export async function rotate(
  stage: Stage,
  minAge: number,
  onStep: (child: ChildProcess, step: string) => void = () => {},
): Promise<number | null> {
  const args = ['rotate', '--wait', '--json', '--poll', '0.05', '--min-age', String(minAge), '--socket', stage.house.socket];
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', join(ROOT, 'scripts/rotate-keys.ts'), ...args], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    for (const [, step = ''] of text.matchAll(/"step":"(publish|activate|retire)","dry_run"/g)) onStep(child, step);
  });
  const [code] = await once(child, 'exit');
  return code as number | null;
}

/**
 * None was refused. A token that ended before it was looked at says nothing of keys where a second passes in milliseconds: those are
 * counted apart, and must be few.
 */
export function noneRefused({ verified }: Stage): number {
  const late = (verified.get('ERR_TOKEN_EXPIRED') ?? 0) + (verified.get('ERR_PROOF_IAT') ?? 0);
  const good = verified.get('good') ?? 0;
  const others = [...verified].filter(([code]) => !['good', 'ERR_TOKEN_EXPIRED', 'ERR_PROOF_IAT'].includes(code));
  assert.deepEqual(others, []);
  assert.ok(good > 0 && late < good / 4, `${late} came too late, ${good} in time`);
  return good;
}
