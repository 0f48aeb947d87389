/** What one agent that asks without end does to another that asks as people do: a broker with the noise and without, in turn. */
import { UNLIMITED } from '../support/unlimited.ts';
import { type Figure, quantile, rowOf } from './figure.ts';
import { httpOf, makeRequests, type Scene, type Wishes } from './requests.ts';
import { driving, granted } from './round.ts';
import { type Bench, setScene } from './scene.ts';

const QUIET = { agent: 'refund-bot', perSecond: 50 };
const NOISY = { agent: 'triage-bot', perSecond: 1_000 };
const CONNECTIONS = 64;
/** The first of each kind warm the broker, since nobody may ask more of it than the limit. */
const WARMING = 2;

const KINDS = ['alone', 'limited', 'unlimited'] as const;
type Kind = (typeof KINDS)[number];
interface Taken {
  readonly p99: number;
  readonly p50: number;
  /** Share of the noise that was turned away. */
  readonly away: number;
}

export const noisy: Figure = {
  name: 'noisy',
  about: 'one agent asks 1,000 times a second; p99 of another, with it and without',
  async measure({ quick, tell }) {
    const clients = { 'triage-bot': 'triage-bot-app' };
    const [limited, unlimited] = [await setScene({ clients }), await setScene({ clients })];
    const seconds = quick ? 4 : 10;
    const rounds = quick ? 3 : 7;
    try {
      // The limits of agents as they stand where nothing is configured; both agents ask from one address.
      const { perAgent: _agent, pressureMs: _pressure, ...rest } = UNLIMITED;
      await limited.tell({ be: 'broker', config: { ...limited.config, limits: rest } });
      await unlimited.tell({ be: 'broker', config: unlimited.config });
      const benches: Readonly<Record<Kind, Bench>> = { alone: limited, limited, unlimited };
      const taken: Record<Kind, Taken[]> = { alone: [], limited: [], unlimited: [] };
      for (let i = -WARMING; i < rounds; i++) {
        const kinds = i % 2 ? KINDS : KINDS.toReversed();
        for (const kind of kinds) {
          tell(i < 0 ? 'warming up' : `round ${i + 1} of ${rounds}, ${kind}`);
          const one = await once(benches[kind], kind !== 'alone', seconds);
          if (i >= 0) taken[kind].push(one);
        }
      }
      const times = (kind: Kind): number[] => taken[kind].map(({ p99 }, i) => p99 / (taken.alone[i]?.p99 ?? Number.NaN));
      const p = (kind: Kind, of: 'p50' | 'p99'): number[] => taken[kind].map((one) => one[of]);
      return {
        rows: [
          rowOf('p99 with the noise ÷ without', '×', times('limited'), { atMost: 1.2, excellent: 1.1 }),
          rowOf('  without limits, for comparison', '×', times('unlimited')),
          rowOf('  p99 alone', 'ms', p('alone', 'p99')),
          rowOf('  p99 with the noise', 'ms', p('limited', 'p99')),
          rowOf('  p99 with the noise, without limits', 'ms', p('unlimited', 'p99')),
          rowOf('  p50 alone', 'ms', p('alone', 'p50')),
          rowOf('  p50 with the noise', 'ms', p('limited', 'p50')),
          rowOf(
            '  of the noise turned away',
            '%',
            taken.limited.map(({ away }) => 100 * away),
          ),
        ],
        notes: [
          `${QUIET.agent} asks ${QUIET.perSecond} times a second, ${NOISY.agent} ${NOISY.perSecond} times, both by Poisson, ${seconds} s a round, ${rounds} rounds of each kind in turn; the ratio is taken round by round, and its median told. The limit of agents is the default. The generator of both shares the machine.`,
          `Of ${QUIET.perSecond * seconds} answers a round few are slower than the 99th of a hundred: the spread says what the machine does to it.`,
        ],
      };
    } finally {
      await limited.stop();
      await unlimited.stop();
    }
  },
};

/** One round. Throws when the quiet one is refused anything. */
async function once(bench: Bench, noise: boolean, seconds: number): Promise<Taken> {
  const scene = await bench.scene();
  const quiet = requestsOf(scene, bench, QUIET, seconds, {});
  const loud = noise ? requestsOf(scene, bench, NOISY, seconds, { call: () => ({ identifier: 'list_orders', arguments: {} }) }) : undefined;
  return driving([bench.port, bench.port], async (own, others) => {
    const [{ latencies, statuses }, answered] = await Promise.all([
      own.open(quiet.requests, quiet.dues, CONNECTIONS),
      loud && others.open(loud.requests, loud.dues, CONNECTIONS),
    ]);
    granted(statuses);
    const away = loud ? (answered?.statuses.get(429) ?? 0) / loud.requests.length : 0;
    return { p99: quantile(latencies, 0.99), p50: quantile(latencies, 0.5), away };
  });
}
function requestsOf(scene: Scene, { agents }: Bench, who: typeof QUIET, seconds: number, wishes: Omit<Wishes, 'subjects'>) {
  const key = agents[who.agent];
  const [first] = scene.agents;
  if (!key || !first) throw new Error('no such agent');
  const asking: Scene = { ...scene, agents: [{ ...first, id: who.agent, client: `${who.agent}-app`, key }] };
  let due = 100;
  const dues = Array.from({ length: who.perSecond * seconds }, () => {
    due += (-Math.log(1 - Math.random()) * 1000) / who.perSecond;
    return due;
  });
  return { requests: makeRequests(asking, dues.length, { subjects: 'kept', ...wishes }).map((one) => httpOf(one)), dues };
}
