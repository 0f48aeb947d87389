/** The keys of logins to back ends: rotated by the operator like those of tokens, apart from them, while the broker runs. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { type Rig, startRig } from '../support/rig.ts';
import { type ToyProgram, toyProgram } from '../support/toy.ts';
import { type AheadWorld, aheadWorld, freshNonce, get } from './front-door.ts';
import { actionToken, redeem, toyRig } from './redeeming.ts';

let rig: Rig;
let program: ToyProgram;
let world: AheadWorld;
before(async () => {
  program = await toyProgram();
  world = aheadWorld();
  rig = await startRig({ ...toyRig(program), world });
});
after(async () => {
  await rig?.stop();
  program?.remove();
});

const rotate = (on: Rig, ...args: readonly string[]): Promise<{ readonly code: number; readonly out: string; readonly err: string }> =>
  new Promise((resolve) => {
    const line = ['--disable-warning=ExperimentalWarning', 'scripts/rotate-keys.ts', ...args, '--socket', join(on.folder, 'operator.sock')];
    execFile(process.execPath, line, (fault, out, err) => resolve({ code: Number(fault?.code ?? 0), out, err }));
  });
const kids = async (path: string): Promise<readonly string[]> =>
  ((await get(rig, path)).body['keys'] as unknown as readonly { readonly kid: string }[]).map(({ kid }) => kid).sort();
const headOf = (token: string): { readonly kid: string; readonly typ: string } =>
  JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()) as { kid: string; typ: string };
async function login(): Promise<string> {
  const token = await actionToken(rig, { nonce: await freshNonce(rig) });
  assert.equal((await redeem(rig, { token })).status, 200);
  return headOf(program.backEnd.made.at(-1)?.login ?? '').kid;
}
const step = async (...args: readonly string[]): Promise<void> => {
  const { code, err } = await rotate(rig, '--ring', 'backends', ...args);
  assert.equal(code, 0, err);
};

it('publish, activate, retire: back ends always find the key, and the keys of tokens stay as they are', async () => {
  const tokens = await kids('/jwks');
  const first = await kids('/backends/jwks');
  const signing = await login();
  assert.ok(first.includes(signing));
  await step('publish');
  const both = await kids('/backends/jwks');
  assert.ok(both.length === 2 * first.length && first.every((kid) => both.includes(kid)));
  assert.equal(await login(), signing, 'published is not signing');
  assert.equal((await rotate(rig, '--ring', 'backends', 'activate')).code, 1, 'back ends may keep what they have read for a while');
  world.ahead(311);
  await step('activate');
  const next = await login();
  assert.ok(next !== signing && both.includes(next));
  world.ahead(71); // a login lives a minute
  await step('retire');
  assert.deepEqual(
    await kids('/backends/jwks'),
    both.filter((kid) => !first.includes(kid)),
  );
  assert.deepEqual(await kids('/jwks'), tokens);
  const told = (await rig.entries()).filter(({ kind, by }) => kind === 'key' && by !== undefined);
  assert.deepEqual(
    told.map(({ detail, context }) => [detail?.split(':')[0], context?.['ring']]),
    ['publish', 'activate', 'retire'].map((what) => [`backends ${what}`, 'backends']),
  );
});

it('an emergency ends the old keys at once, and says what follows', async () => {
  const before = await kids('/backends/jwks');
  const { code, out } = await rotate(rig, '--ring', 'backends', 'emergency');
  assert.equal(code, 0);
  assert.match(out, /Back ends refuse the old keys/);
  const after = await kids('/backends/jwks');
  assert.ok(!before.some((kid) => after.includes(kid)) && after.includes(await login()));
});

it('in words: what is next names the ring; a ring that is not there is said to be none', async () => {
  assert.match((await rotate(rig, '--ring', 'backends', 'status')).out, /npm run rotate-keys -- rotate --wait --ring backends --socket /);
  assert.doesNotMatch((await rotate(rig, 'status')).out, /--ring/);
  assert.equal((await rotate(rig, '--ring', 'sessions', 'status')).code, 3);
  const bare = await startRig();
  try {
    const { code, err } = await rotate(bare, '--ring', 'backends', 'status');
    assert.deepEqual([code, /no back end is configured/.test(err)], [2, true]);
    assert.equal((await rotate(bare, '--ring', 'backends', 'publish')).code, 2);
  } finally {
    await bare.stop();
  }
});
