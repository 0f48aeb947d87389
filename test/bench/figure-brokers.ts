/** Two brokers on one Redis against one broker on SQLite, on the cores that this machine has. Needs Redis. */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConfigInput } from '../../src/config.ts';
import { need } from '../services/provision.ts';
import { type Redis, startRedis } from '../services/redis.ts';
import { freePort } from '../support/rig.ts';
import type { Drive } from './drive.ts';
import { type Figure, rowOf } from './figure.ts';
import { machine, threadsOf } from './machine.ts';
import { httpOf, type Made, makeRequests } from './requests.ts';
import { driving, granted, IN_FLIGHT } from './round.ts';
import { type Child, type Stage, setStage, startChild } from './scene.ts';

interface Brokers {
  readonly children: readonly Child[];
  readonly stage: Stage;
  readonly redis?: Redis;
}
interface Taken {
  /** Requests a second, by the clock on the wall, and what they would be with the generator on another machine. */
  readonly rate: number;
  readonly own: number;
  /** CPU µs of one request. */
  readonly brokers: number;
  readonly busiest: number;
  /** Of the brokers' CPU that of V8's own threads: they collect garbage and compile. */
  readonly v8: number;
  readonly redis: number;
  readonly generator: number;
}
/** What Redis says of itself, bytes since it began: of the network, of its file, and of what it holds now. */
interface Held {
  readonly network: number;
  readonly file: number;
  readonly memory: number;
}
/** One on SQLite, two on Redis, one on Redis. */
type Round = readonly [Taken, Taken, Taken];
const EACH = 1_500;
/** V8 compiles anew what has become hot until some 25,000 exchanges, for 50 to 100 µs of each; afterwards for next to nothing. */
const WARM_ROUNDS = 18;

export const brokers: Figure = {
  name: 'brokers',
  about: 'two brokers on one Redis ÷ one broker on SQLite, exchanges a second on the same cores',
  async measure({ quick, tell }) {
    await need('redis');
    const redis = await startRedis({ appendfsync: 'always', config: ['auto-aof-rewrite-percentage 0'] });
    const [one, two] = [await setStage(), await setStage()];
    const children = [startChild(), startChild(), startChild()] as const;
    try {
      const port = await freePort();
      const password = join(two.folder, 'redis-password');
      // Of several brokers none makes the key that they share.
      writeFileSync(join(two.folder, 'key'), randomBytes(32).toString('base64url'), { mode: 0o600 });
      writeFileSync(password, redis.password, { mode: 0o600 });
      const store: ConfigInput['store'] = { use: 'redis', url: `redis://${redis.host}:${redis.port}`, password: { file: password } };
      await children[0].tell({ be: 'broker', config: one.config });
      await children[1].tell({ be: 'broker', config: { ...two.config, store } });
      const other: ConfigInput = { ...two.config, store, listen: { port }, operator: { socket: join(two.folder, 'other.sock') } };
      await children[2].tell({ be: 'broker', config: other });
      // As if this store had been there for long: what was issued just before its memory begins is refused. Brokers hear of it each second.
      await redis.cli('HSET', '{countersign}:meta', 'since', '0');
      await sleep(2_000);
      const alone: Brokers = { children: [children[0]], stage: one };
      const both: Brokers = { children: [children[1], children[2]], stage: two, redis };
      const half: Brokers = { children: [children[1]], stage: two, redis };
      return await driving([one.port, two.port, port], async (...loads) => {
        const [first, ...others] = loads;
        const lone = first === undefined ? [] : [first];
        const warm = quick ? WARM_ROUNDS / 3 : WARM_ROUNDS;
        for (let i = 0; i < warm; i++) {
          tell(`warming up, ${i + 1} of ${warm}`);
          await once(alone, lone);
          await once(both, others);
        }
        const rounds: Round[] = [];
        const before = await heldBy(redis);
        for (let i = 0; i < (quick ? 3 : 9); i++) {
          tell(`round ${i + 1}`);
          const turned = i % 2 === 1;
          const b = turned ? await once(both, others) : undefined;
          const a = await once(alone, lone);
          const c = await once(half, others.slice(0, 1));
          rounds.push([a, b ?? (await once(both, others)), c]);
        }
        const after = await heldBy(redis);
        const bytes = (what: keyof Held): number[] => [
          (after[what] - before[what]) / (rounds.length * EACH * (both.children.length + half.children.length)) / 1000,
        ];
        const of = (which: 0 | 1 | 2, what: keyof Taken): number[] => rounds.map((round) => round[which][what]);
        const cores = machine().cores;
        return {
          rows: [
            rowOf('two on Redis ÷ one on SQLite, generator subtracted', '×', ratios(rounds, 'own'), { atLeast: 1.6, excellent: 1.75 }),
            rowOf('  by the clock, the generator on the same cores', '×', ratios(rounds, 'rate')),
            rowOf('  one on SQLite: exchanges', '/s', of(0, 'own')),
            rowOf('  two on Redis: exchanges', '/s', of(1, 'own')),
            rowOf('  one on SQLite: CPU of one, broker', 'µs', of(0, 'brokers')),
            rowOf('    of it the busiest thread', 'µs', of(0, 'busiest')),
            rowOf("    of it V8's own threads", 'µs', of(0, 'v8')),
            rowOf('  two on Redis: CPU of one, broker', 'µs', of(1, 'brokers')),
            rowOf('    of it the main threads', 'µs', of(1, 'busiest')),
            rowOf("    of it V8's own threads", 'µs', of(1, 'v8')),
            rowOf('  two on Redis: CPU of one, Redis', 'µs', of(1, 'redis')),
            rowOf('  on Redis: of one, Redis holds in memory', 'KB', bytes('memory')),
            rowOf('    writes to its append-only file', 'KB', bytes('file')),
            rowOf('    is sent by the brokers', 'KB', bytes('network')),
            rowOf('  one on Redis, the other idle: CPU of one, broker', 'µs', of(2, 'brokers')),
            rowOf('    of it the main thread', 'µs', of(2, 'busiest')),
            rowOf('    CPU of one, Redis', 'µs', of(2, 'redis')),
            rowOf('  generator, one on SQLite', 'µs', of(0, 'generator')),
            rowOf('  generator, two on Redis', 'µs', of(1, 'generator')),
          ],
          notes: [
            `${IN_FLIGHT} in flight at each broker, ${EACH} exchanges a broker and round, fresh subject tokens; what is compared is of the same round. Redis writes its file through before it answers (appendfsync always), as SQLite does.`,
            'Bytes by INFO before and after all rounds; the file is not rewritten meanwhile.',
            `Generator subtracted: for two brokers, which fill ${cores} cores together with Redis and the generator, the time by the clock less the generator's share of it; for one broker, whose generator has a core of its own, all that its one busy thread could do without ever waiting.`,
          ],
        };
      });
    } finally {
      for (const child of children) await child.end();
      for (const stage of [one, two]) stage.clear();
      await redis.stop();
    }
  },
};
async function heldBy(redis: Redis): Promise<Held> {
  const said = (await Promise.all(['stats', 'persistence', 'memory'].map((section) => redis.cli('INFO', section)))).join('\n');
  const numberOf = (name: string): number => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(said)?.[1]);
  return { network: numberOf('total_net_input_bytes'), file: numberOf('aof_current_size'), memory: numberOf('used_memory') };
}
const ratios = (rounds: readonly Round[], what: 'own' | 'rate'): number[] => rounds.map(([a, b]) => b[what] / a[what]);

async function once({ children, stage, redis }: Brokers, loads: readonly Drive[]): Promise<Taken> {
  const scene = await stage.scene();
  const made = loads.map((): Made[] => makeRequests(scene, EACH, { subjects: 'fresh' }));
  const bytes = made.map((requests) => requests.map((one) => httpOf(one)));
  const usage = async () => ({
    of: await Promise.all(children.map((child) => child.usage())),
    v8: children.reduce((sum, { pid }) => sum + cpuOf(pid, 'V8'), 0),
    redis: redis ? cpuOf(redis.pid()) : 0,
    self: process.cpuUsage(),
  });
  const before = await usage();
  const began = performance.now();
  const answers = await Promise.all(loads.map((load, i) => load.closed(bytes[i] ?? [], IN_FLIGHT)));
  const seconds = (performance.now() - began) / 1000;
  const after = await usage();
  for (const statuses of answers) granted(statuses);
  const count = EACH * loads.length;
  const cost = (what: 'cpu' | 'main'): number =>
    after.of.reduce((sum, { [what]: now }, i) => sum + now - (before.of[i]?.[what] ?? 0), 0) / count;
  const generator = (after.self.user + after.self.system - before.self.user - before.self.system) / count;
  const main = cost('main');
  // One broker leaves a core to the generator: without it, it could do what its one thread can. Two leave it none: what it took is theirs.
  const own = redis ? count / (seconds - (generator * count) / 1e6 / machine().cores) : 1e6 / main;
  return {
    rate: count / seconds,
    own,
    brokers: cost('cpu'),
    busiest: main,
    v8: (after.v8 - before.v8) / count,
    redis: (after.redis - before.redis) / count,
    generator,
  };
}
/** µs of a process so far, or of those of its threads that have such a name. */
const cpuOf = (pid: number, named = ''): number =>
  [...threadsOf(pid).values()].reduce((sum, { name, cpu }) => (name.includes(named) ? sum + cpu : sum), 0);
