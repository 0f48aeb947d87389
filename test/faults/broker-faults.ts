/** What befalls two brokers and their Redis, one fault at a time: how it begins, and how it ends. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Lost } from '../services/network.ts';
import type { Redis } from '../services/redis.ts';
import { BEGUN_WRONG, JUMPS } from './clock-faults.ts';
import { type Fault, type Struck, upTo } from './fault.ts';
import { eventually } from './harness.ts';
import { said } from './load.ts';
import type { Side } from './pair.ts';

const nothing = async (): Promise<void> => undefined;
export const PLAIN = {
  client: 'refund-bot',
  tool: 'create_refund',
  args: { payment_id: 'pay_1', amount_minor: 1, currency: 'EUR' },
} as const;
export async function grants({ load }: Side): Promise<boolean> {
  return said(await load.ask(load.wish(PLAIN)))[0] === 200;
}
function partition(lost: Lost, about: string): Fault {
  return {
    about: `between one broker and Redis, ${about}`,
    away: 'one',
    apart: true,
    async begin({ side: { path }, note }) {
      await path.cut(lost);
      note(`by ${path.by}`);
    },
    end: ({ side }) => side.path.heal(),
  };
}
/** Asked at both doors with the very same bytes: at most one may win. Answers how often one did. */
async function contend({ side, other }: Struck, contenders: number): Promise<number> {
  const { key: _, ...wish } = side.load.wish();
  const sent = side.load.make(wish);
  const asked = Array.from({ length: contenders }, (__, i) => (i % 2 ? other : side).load.send({ ...sent }));
  return (await Promise.all(asked)).filter((outcome) => said(outcome)[0] === 200).length;
}

export const FAULTS = {
  dead: {
    about: 'Redis is killed, and started again',
    away: 'both',
    begin: ({ pair }) => pair.redis.kill(),
    end: ({ pair }) => pair.redis.restart(),
  },
  stopped: {
    about: 'Redis stands still (SIGSTOP)',
    away: 'both',
    begin: async ({ pair }) => pair.redis.pause(),
    end: async ({ pair }) => pair.redis.resume(),
  },
  slow: {
    about: 'each answer of Redis comes late, within its timeout or past it',
    away: 'some',
    begin: async ({ pair }) => {
      const delayMs = Math.random() < 0.5 ? upTo(400) : 1_500 + upTo(1_500);
      for (const { proxy } of pair.sides) proxy.set({ down: { delayMs } });
      await sleep(400 + upTo(600));
    },
    end: async ({ pair }) => {
      for (const { proxy } of pair.sides) proxy.set();
    },
  },
  reset: {
    about: 'the connection is reset in the middle of a command',
    away: 'some',
    begin: async ({ side }) => {
      side.proxy.set({ up: { resetAfterBytes: Math.ceil(upTo(20_000)) } });
      await sleep(300);
    },
    end: async ({ side }) => side.proxy.set(),
  },
  partition: partition('both', 'no byte comes through either way'),
  deaf: partition('back', 'what is asked is done, and no answer comes'),
  mute: partition('there', 'what is asked does not arrive, until the partition heals'),
  full: {
    about: 'Redis has no memory left',
    away: 'both',
    begin: async ({ pair }) => void (await pair.redis.cli('CONFIG', 'SET', 'maxmemory', '1mb')),
    end: async ({ pair }) => void (await pair.redis.cli('CONFIG', 'SET', 'maxmemory', '0')),
  },
  loading: {
    about: 'Redis is killed, and takes its time to read its file',
    config: ['key-load-delay 300'],
    // It ends by itself, sooner or later.
    away: 'some',
    begin: async ({ pair: { redis }, note }) => {
      await redis.cli('BGREWRITEAOF');
      const rewritten = async (): Promise<boolean> => /aof_rewrite_in_progress:0/.test(String(await redis.cli('INFO', 'persistence')));
      await eventually(rewritten);
      await redis.kill();
      const began = performance.now();
      void redis.restart().then(
        () => note(`loaded in ${Math.round((performance.now() - began) / 100) / 10} s`),
        () => note('not loaded'),
      );
      await sleep(100);
    },
    // It answers with an error until it has read all.
    end: async ({ pair }) =>
      void (await eventually(
        () =>
          pair.redis.cli('PING').then(
            (answer) => answer === 'PONG',
            () => false,
          ),
        30_000,
      )),
  },
  emptied: {
    about: 'Redis forgets everything: nothing more until the brokers are started anew, and then nothing from before',
    away: 'both',
    forgets: true,
    begin: async ({ pair }) => void (Math.random() < 0.5 ? await pair.redis.cli('FLUSHALL') : await pair.redis.restartEmpty()),
    end: async ({ pair }) => {
      for (const side of pair.sides) await side.broker?.stop();
      for (const side of pair.sides) await side.start();
    },
  },
  failover: {
    about: 'the master is killed, another takes over (Sentinel, WAIT)',
    on: 'sentinel',
    away: 'some',
    begin: async ({ pair: { sentinel, sides }, took, note }) => {
      const master = await sentinel?.master();
      if (!sentinel || !master) throw new Error('no master');
      const began = performance.now();
      async function once(part: string, so: () => Promise<boolean>): Promise<void> {
        if (!(await eventually(() => so().catch(() => false), 60_000))) throw new Error(`nobody ${part}`);
        took(part, performance.now() - began);
      }
      await master.kill();
      const next = await sentinel.failedOver(master);
      const elected = performance.now() - began;
      took('elected', elected);
      const back = Promise.all([
        once('followed by the other replica', async () =>
          /state=online/.test(String(await (await sentinel.master()).cli('INFO', 'replication'))),
        ),
        once('reconnected', async () => {
          const now = await sentinel.master();
          const run = /run_id:(\w+)/.exec(String(await now.cli('INFO', 'server')))?.[1];
          return run !== undefined && run === (await now.cli('HGET', '{countersign}:meta', 'run'));
        }),
        once('granted by one', () => Promise.any(sides.map(async (side) => (await grants(side)) || Promise.reject()))),
        once('granted by both', async () => (await Promise.all(sides.map(grants))).every(Boolean)).then(() =>
          took('granted by both, from the election on,', performance.now() - began - elected),
        ),
      ]);
      // It must follow before its own turn to take over comes; and it does not help those that go on without it.
      await back;
      await master.restart();
      async function allFollow(): Promise<boolean> {
        const now = await sentinel?.master();
        const others = sentinel?.nodes.filter((node) => node !== now) ?? [];
        const roles = await Promise.all(others.map(async (node) => (await node.cli('ROLE')) as readonly unknown[]));
        return roles.every((role) => role[3] === 'connected');
      }
      if (!(await eventually(() => allFollow().catch(() => false), 60_000))) throw new Error('the old master does not follow');
      // On a busy machine they take the new one for dead, and wait twice their timeout before they choose again.
      if ((await sentinel.master()) !== next) note('the Sentinels have chosen twice');
    },
    end: nothing,
  },
  slot: {
    about: 'the slot of the store moves to another node (Cluster)',
    on: 'cluster',
    away: 'some',
    begin: async ({ pair: { cluster } }) => {
      if (!cluster) throw new Error('no Cluster');
      const slot = await cluster.slotOf('{countersign}');
      const from = await cluster.ownerOf(slot);
      const rest: readonly Redis[] = cluster.nodes.filter((node) => node !== from);
      const moving = await cluster.move(slot, rest[Math.floor(upTo(rest.length))] as Redis);
      await sleep(upTo(400));
      await moving.finish();
    },
    end: nothing,
  },
  contended: {
    about: 'one request, fifty times, at two brokers',
    away: 'some',
    begin: async (struck) => {
      const won = [];
      for (let round = 0; round < 10; round++) won.push(await contend(struck, 50));
      if (won.some((count) => count > 1)) throw new Error(`winners of each round: ${won.join(' ')}`);
      // A broker that is too busy to answer before its deadline lets nobody win.
      struck.note(`${won.filter((count) => count === 1).length} of 10 rounds have their one winner`);
    },
    end: nothing,
  },
  stalled: {
    about: 'a broker stands still after its replay check, and goes on past its deadline; meanwhile the other is asked the same',
    away: 'some',
    begin: async (struck) => {
      const { side, other, note } = struck;
      const sent = Array.from({ length: 12 }, () => {
        const { key: _, ...wish } = side.load.wish();
        return side.load.make(wish);
      });
      const here = Promise.all(sent.map((one) => side.load.send(one)));
      await sleep(upTo(25));
      side.broker?.child.kill('SIGSTOP');
      const there = await Promise.all(sent.map((one) => other.load.send({ ...one })));
      // The deadline, and what a commit may come late.
      await sleep(4_500);
      side.broker?.child.kill('SIGCONT');
      const answers = await here;
      const won = answers.map((answer, i) => [answer, there[i]].filter((one) => one && said(one)[0] === 200).length);
      if (won.some((count) => count > 1)) throw new Error('one request was granted by both');
      note(`${answers.filter((answer) => said(answer)[0] === 200).length} of 12 by the one that stood still`);
    },
    end: nothing,
  },
  clock: JUMPS,
  begun: BEGUN_WRONG,
} satisfies Readonly<Record<string, Fault>>;
export type FaultName = keyof typeof FAULTS;
