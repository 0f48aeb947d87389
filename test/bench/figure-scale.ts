/** What one exchange costs when there is much else: policies, agents, tools that it does not meet. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { newKey } from '../support/keys.ts';
import { growPolicies, growTools, openToAgents, toolNames } from './bundles.ts';
import type { Drive } from './drive.ts';
import { type Figure, type Row, type Run, rowOf } from './figure.ts';
import { type Made, makeRequests, type Scene, type Wishes } from './requests.ts';
import { driving, round } from './round.ts';
import { type Child, type Stage, setStage, startChild } from './scene.ts';
import { agentId, type ManyAgents } from './swap-many-agents.ts';

interface Point {
  readonly stage: Stage;
  readonly child: Child;
  /** The next so many requests. */
  made(count: number): Promise<Made[]>;
}
/** Agents that ask, at most: more than the broker keeps the keys of proofs of, so that the largest sizes meet every proof as a stranger's. */
const ASKING = 8_192;

export const scale: Figure = {
  name: 'scale',
  about: 'CPU of one exchange, as policies, agents and tools multiply: last ÷ first',
  async measure(run) {
    const sizes = (all: readonly number[]): readonly number[] => {
      const [first = 0, , middle = 0] = all;
      return run.long ? all : run.quick ? [first, middle] : [first, middle, all.at(-1) ?? 0];
    };
    const policies = sizes([10, 100, 1_000, 10_000]);
    const agents = sizes([10, 100, 1_000, 10_000, 100_000]);
    const tools = sizes([1, 10, 100, 1_000]);
    const rows = [
      ...(await axis(run, 'policies', policies, 1.1, (count) => point({ bundle: (folder) => growPolicies(folder, count) }))),
      ...(await axis(run, 'agents', agents, 1.2, manyAgents(Math.max(...agents)))),
      ...(await axis(run, 'tools', tools, 1.2, (count) => point({ bundle: (folder) => growTools(folder, count) }))),
      ...(await axis(run, 'tools, each asked for in turn', [1, Math.max(...tools)], undefined, (count) =>
        point({ bundle: (folder) => growTools(folder, count) }, { call: (i) => call(toolNames(count)[i % count] ?? '', i) }),
      )),
    ];
    return {
      rows,
      notes: [
        'Each size is a broker of its own; they are asked in turn, round by round, and the ratio is of the same round. Fresh subject tokens.',
        `Agents ask in turn, ${ASKING} of them at most, each with keys of its own. Over a few thousand they are made in the broker's memory, as the loader would compile them: agents.yaml may be 1 MB.`,
        'A bundle of many tools is met in two ways: always the same tool, and every tool as often as every other.',
      ],
    };
  },
};
const call = (identifier: string, i: number): ReturnType<NonNullable<Wishes['call']>> => ({
  identifier,
  arguments: { payment_id: `pay_${i}`, amount_minor: 4250, currency: 'EUR' },
});

async function axis(
  run: Run,
  name: string,
  sizes: readonly number[],
  atMost: number | undefined,
  make: (size: number) => Promise<Point>,
): Promise<readonly Row[]> {
  const points: Point[] = [];
  try {
    for (const size of sizes) {
      run.tell(`${name}: a broker with ${size}`);
      points.push(await make(size));
    }
    const ports = points.map(({ stage }) => stage.port);
    const costs = await driving(ports, async (...loads) => {
      const once = async (point: Point, load: Drive | undefined, count: number): Promise<number> => {
        if (!load) throw new Error('no connection');
        return (await round(point.child, load, await point.made(count))).cpu;
      };
      for (const [i, one] of points.entries()) {
        run.tell(`${name}: warming up ${sizes[i]}`);
        for (let warm = 0; warm < 4; warm++) await once(one, loads[i], 600);
      }
      const rounds: number[][] = [];
      for (let i = 0; i < (run.quick ? 3 : run.long ? 9 : 5); i++) {
        run.tell(`${name}: round ${i + 1}`);
        const costs: number[] = [];
        for (const [at, one] of points.entries()) costs.push(await once(one, loads[at], 400));
        rounds.push(costs);
      }
      return rounds;
    });
    const ratios = costs.map((round) => (round.at(-1) ?? 0) / (round[0] ?? 0));
    const target = atMost === undefined ? undefined : { atMost };
    return [
      rowOf(`${name}: ${sizes.map((size) => size.toLocaleString('en')).join(' → ')}`, '×', ratios, target),
      ...sizes.map((size, i) =>
        rowOf(
          `  ${size.toLocaleString('en')}`,
          'µs',
          costs.map((round) => round[i] ?? 0),
        ),
      ),
    ];
  } finally {
    for (const { child, stage } of points) {
      await child.end();
      stage.clear();
    }
  }
}

async function point(options: Parameters<typeof setStage>[0], wishes: Partial<Wishes> = {}): Promise<Point> {
  const stage = await setStage(options);
  return ready({ stage, child: startChild() }, () => stage.scene(), wishes);
}
/** `most`: as many keys as the largest size has agents that ask. */
function manyAgents(most: number): (count: number) => Promise<Point> {
  const keys = Array.from({ length: Math.min(most, ASKING) }, (_, i) => ({
    id: agentId(i),
    client: `app-${i}`,
    key: newKey(`key-${i}`),
    proofKey: newKey(),
  }));
  return async (count) => {
    const asking = keys.slice(0, count);
    const stage = await setStage({ bundle: openToAgents, clients: Object.fromEntries(asking.map(({ id, client }) => [id, client])) });
    const made: ManyAgents = { count, keys: asking.map(({ key }) => key.publicJwk) };
    const file = join(stage.folder, 'agents.json');
    writeFileSync(file, JSON.stringify(made));
    const child = startChild({ swap: './swap-many-agents.ts', env: { BENCH_AGENTS: file } });
    return ready({ stage, child }, async () => ({ ...(await stage.scene()), agents: asking }), {});
  };
}
async function ready(one: Pick<Point, 'stage' | 'child'>, scene: () => Promise<Scene>, wishes: Partial<Wishes>): Promise<Point> {
  await one.child.tell({ be: 'broker', config: one.stage.config });
  let from = 0;
  return {
    ...one,
    async made(count) {
      const requests = makeRequests(await scene(), count, { subjects: 'fresh', from, ...wishes });
      from += count;
      return requests;
    },
  };
}
