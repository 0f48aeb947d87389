import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { operatorClient, Unreachable } from '../../../scripts/operator-client.ts';
import { type OperatorSocket, operatorSocket } from '../../support/operator-socket.ts';

const timing = { maxAgeSeconds: 300, maxTokenSeconds: 600, skewSeconds: 10 };
const script = new URL('../../../scripts/rotate-keys.ts', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'countersign-rotate-'));
const open: OperatorSocket[] = [];
after(async () => {
  rmSync(folder, { recursive: true });
  await Promise.all(open.map((one) => one.close()));
});
async function broker(): Promise<OperatorSocket> {
  const room = await operatorSocket(timing);
  open.push(room);
  return room;
}
interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}
function start(args: readonly string[]): { readonly child: ChildProcess; readonly ended: Promise<Ran> } {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', script, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const text = { out: '', err: '' };
  child.stdout.on('data', (part) => {
    text.out += part;
  });
  child.stderr.on('data', (part) => {
    text.err += part;
  });
  return { child, ended: once(child, 'close').then(([code]) => ({ code: code as number | null, ...text })) };
}
const run = (room: { readonly socket: string }, ...args: readonly string[]): Promise<Ran> =>
  start([...args, '--socket', room.socket]).ended;
const states = async (room: OperatorSocket): Promise<string> => (await room.keys.status()).keys.map((key) => key.state).join(' ');
const lines = (text: string): readonly Record<string, unknown>[] =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

test('step by step, in words', async () => {
  const room = await broker();
  const [first] = (await room.keys.status()).keys;
  assert.ok(first);
  const status = await run(room, 'status');
  assert.equal(status.code, 0);
  assert.equal(
    status.out,
    [
      'KEY                          ALG    STATE    SINCE                    WHAT IS NEXT',
      `${first.kid}  ES256  current  2026-11-20 12:00:00 UTC  signs`,
      '',
      `Next: npm run rotate-keys -- rotate --wait --socket ${room.socket}   when the keys shall change`,
      '',
    ].join('\n'),
  );
  const early = await run(room, 'activate');
  assert.equal(early.code, 1);
  assert.match(early.err, /^Not done: there is no next key; publish first\n/);

  const published = await run(room, 'publish');
  assert.equal(published.code, 0);
  assert.match(published.out, /^publish: done\n {2}ES256 \S+: new → next\n/);
  assert.match(published.out, /next {5}2026-11-20 12:00:00 UTC {2}activate at 2026-11-20 12:05:10 UTC, in 5 min 10 s/);
  const again = await run(room, 'activate');
  assert.equal(again.code, 1);
  assert.match(again.err, /^Not done: too early; possible at 2026-11-20 12:05:10 UTC, in 5 min 10 s\n/);
  assert.match((await run(room, 'publish')).err, /^Not done: next keys are published already\n/);
  assert.match((await run(room, 'plan')).out, /activate {3}no {8}too early; possible at 2026-11-20 12:05:10 UTC/);

  room.world.pass(310);
  assert.match((await run(room, 'plan')).out, /activate {3}due now {3}signs with the next keys/);
  assert.equal((await run(room, 'activate')).code, 0);
  room.world.pass(610);
  const retired = await run(room, 'retire');
  assert.equal(retired.code, 0);
  assert.match(retired.out, /gone .*its name is never used again/);
  assert.equal(await states(room), 'gone current');

  const emergency = await run(room, 'emergency');
  assert.equal(emergency.code, 0);
  assert.match(emergency.out, /refuse the old keys once they fetch \/jwks again/);
  assert.equal(await states(room), 'gone distrusted current');
});

test('--dry-run does nothing, --json is for programs', async () => {
  const room = await broker();
  for (const what of ['publish', 'emergency', 'rotate']) {
    const dry = await run(room, what, '--dry-run', ...(what === 'rotate' ? ['--min-age', '0'] : []));
    assert.equal(dry.code, 0, dry.err);
    assert.match(dry.out, /would do this, and did nothing/);
  }
  assert.equal((await run(room, 'retire', '--dry-run')).code, 1);
  assert.equal(await states(room), 'current');
  assert.equal((await room.keys.status()).version, 1);

  const [status] = lines((await run(room, 'status', '--json')).out);
  assert.deepEqual(status, JSON.parse(JSON.stringify(await room.keys.status())));
  const no = await run(room, 'activate', '--json');
  assert.deepEqual(
    [no.code, lines(no.out), no.err],
    [1, [{ ok: false, step: 'activate', error: 'state_conflict', detail: 'nothing_to_do' }], ''],
  );
  const [published] = lines((await run(room, 'publish', '--json')).out);
  assert.deepEqual([published?.['ok'], published?.['step'], published?.['dry_run']], [true, 'publish', false]);
});

test('rotate without --wait does what is due, and says when to come back', async () => {
  const room = await broker();
  const fresh = await run(room, 'rotate');
  assert.equal(fresh.code, 0);
  assert.match(fresh.out, /^Nothing to do: the current keys are 0 s old/);
  room.world.pass(7200);
  const begun = await run(room, 'rotate');
  assert.equal(begun.code, 0);
  assert.match(begun.out, /publish: done[\s\S]*goes on with activate at 2026-11-20 14:05:10 UTC, in 5 min 10 s/);
  assert.equal((await run(room, 'rotate')).code, 1);
  room.world.pass(310);
  assert.equal((await run(room, 'rotate')).code, 0);
  room.world.pass(610);
  const over = await run(room, 'rotate');
  assert.equal(over.code, 0);
  assert.match(over.out, /Rotated: new tokens are signed with the new keys/);
  assert.equal(await states(room), 'gone current');
});

/** Time goes on by the look: 31 s each. */
const hurry = (room: OperatorSocket): void => {
  room.around = { after: (path) => void (path === '/operator/keys' && room.world.pass(31)) };
};
const WAIT = ['rotate', '--wait', '--min-age', '3600', '--poll', '0.005'] as const;

test('rotate --wait does all of it', async () => {
  const room = await broker();
  room.world.pass(7200);
  hurry(room);
  const done = await run(room, ...WAIT, '--json');
  assert.equal(done.code, 0, done.err);
  assert.deepEqual(
    lines(done.out).map((line) => line['step'] ?? line['state']),
    ['publish', 'activate', 'retire', 'rotated'],
  );
  assert.match(done.err, /^waiting for activate: [45] min \d+ s left \(safe to interrupt; run this again to go on\)\n$/);
  assert.equal(await states(room), 'gone current');
});

test('somebody who is faster is no obstacle', async () => {
  const room = await broker();
  room.world.pass(7200);
  // Between its look and its step another operator takes the very step it has in mind, until all three are done.
  const theirs = ['publish', 'activate', 'retire'] as const;
  let taken = 0;
  let turn = Promise.resolve();
  room.around = {
    after: (path) => {
      if (path !== '/operator/keys') return;
      room.world.pass(31);
      turn = turn.then(async () => {
        const step = theirs[taken];
        if (step && (await room.keys.step(step, { name: 'ivo' })).ok) taken++;
      });
    },
  };
  const ran = await run(room, ...WAIT);
  assert.equal(ran.code, 0, ran.err);
  await turn;
  assert.equal(await states(room), 'gone current');
});

test('killed at every request, before and after its effect, and run again: one rotation, whole', async () => {
  const room = await broker();
  room.world.pass(7200);
  let child: ChildProcess | undefined;
  let seen = 0;
  let killAt = 0;
  const kill = (): void => void child?.kill('SIGKILL');
  room.around = {
    before: () => {
      if (++seen === killAt) kill();
    },
    after: (path) => {
      if (path === '/operator/keys') room.world.pass(103);
      else kill();
    },
  };
  // Each run dies one request later than the one before, or as soon as a step of its took effect.
  for (killAt = 1; killAt <= 8; killAt++) {
    seen = 0;
    const one = start([...WAIT, '--socket', room.socket]);
    child = one.child;
    const { code } = await one.ended;
    if (code === 0) break;
    assert.equal(code, null);
  }
  room.around = {};
  hurry(room);
  const last = await run(room, ...WAIT);
  assert.equal(last.code, 0, last.err);
  assert.match(last.out, /Rotated|last rotation is complete/);
  assert.equal(await states(room), 'gone current');
  assert.equal(room.store.entries.filter((entry) => (entry.value as { kind: string }).kind === 'key').length, 4);
});

test('killed at random moments and run again: one rotation, whole', async () => {
  const room = await broker();
  room.world.pass(7200);
  hurry(room);
  for (let i = 0; i < 6; i++) {
    const one = start([...WAIT, '--socket', room.socket]);
    const timer = setTimeout(() => one.child.kill('SIGKILL'), 100 + Math.random() * 400);
    await one.ended;
    clearTimeout(timer);
  }
  const last = await run(room, ...WAIT);
  assert.equal(last.code, 0, last.err);
  assert.equal(await states(room), 'gone current');
});

test('a broker that cannot be reached: exit 2, and what to do', async () => {
  const file = join(folder, 'file');
  writeFileSync(file, '');
  const closed = join(folder, 'closed.sock');
  const server = createServer().listen(closed);
  await once(server, 'listening');
  const garbage = join(folder, 'garbage.sock');
  const other = createServer((socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello')).listen(garbage);
  await once(other, 'listening');
  const table: readonly (readonly [string, Unreachable['code'], RegExp])[] = [
    [join(folder, 'absent.sock'), 'no_socket', /Is the broker running\? Start it with `npm start`/],
    [join(file, 'below.sock'), 'no_socket', /Is the broker running/],
    [file, 'not_running', /has stopped/],
    [garbage, 'no_answer', /no answer that can be read/],
  ];
  for (const [socket, code, words] of table) {
    await assert.rejects(
      operatorClient({ socket })('GET', '/operator/keys'),
      (fault) => fault instanceof Unreachable && fault.code === code && words.test(fault.message),
      socket,
    );
  }
  const ran = await run({ socket: join(folder, 'absent.sock') }, 'status', '--json');
  assert.deepEqual([ran.code, lines(ran.out)], [2, [{ ok: false, error: 'no_socket' }]]);
  if (process.getuid?.() !== 0) {
    chmodSync(closed, 0);
    await assert.rejects(
      operatorClient({ socket: closed })('GET', '/'),
      (fault) => fault instanceof Unreachable && fault.code === 'not_allowed',
    );
  }
  server.close();
  other.close();

  const room = await broker();
  room.store.break('disk');
  const away = await run(room, 'status');
  assert.deepEqual([away.code, /cannot answer now/.test(away.err)], [2, true]);
});

test('wrong usage: exit 3', async () => {
  for (const args of [[], ['rotate', '--min-age', 'soon'], ['frobnicate'], ['status', '--frobnicate'], ['publish', 'twice']]) {
    const ran = await start(args).ended;
    assert.equal(ran.code, 3, args.join(' '));
  }
  assert.equal((await start(['--help']).ended).code, 0);
});
