/**
 * What one agent that asks without end does to another that asks as people do. Many short windows of each kind in turn, whose latencies are
 * pooled: of one window few answers are slower than the 99th of a hundred, and what else the machine does falls on all kinds alike.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { UNLIMITED } from '../support/unlimited.ts';
import { type Figure, quantile, type Row, resampled, rowOf, type Target } from './figure.ts';
import { httpOf, makeRequests, type Scene, type Wishes } from './requests.ts';
import { driving, granted } from './round.ts';
import { type Bench, setScene } from './scene.ts';

const QUIET = { agent: 'refund-bot', perSecond: 40 };
const NOISY = { agent: 'triage-bot', perSecond: 1_000 };
/** As much as where nothing is configured, over no longer than a window: the noise is on now and then alone, and must not save up meanwhile. */
const LIMIT = { requests: 120, seconds: 2 };
const CONNECTIONS = 64;
/** The first of each kind warm the broker, since nobody may ask more of it than the limit. */
const WARMING = 3;
/** Between two windows: what the one has left behind is no part of the next. */
const REST_MS = 150;

/** `elsewhere`: the same noise, at a server that does no more than read it; what remains is the machine's and the generator's. */
const KINDS = ['alone', 'limited', 'elsewhere', 'unlimited'] as const;
type Kind = (typeof KINDS)[number];
interface Taken {
  readonly latencies: readonly number[];
  /** CPU µs of the quiet one's broker. */
  readonly cpu: number;
  /** And of the server that the noise went to, where that is another one. */
  readonly floor: number;
  readonly refused: number;
  readonly noise: number;
}
type Windows = readonly Taken[];
const p99 = (windows: Windows): number =>
  quantile(
    windows.flatMap(({ latencies }) => latencies),
    0.99,
  );
const sum = (windows: Windows = [], of: 'cpu' | 'floor' | 'refused' | 'noise'): number => windows.reduce((all, one) => all + one[of], 0);
/** CPU µs that the noise has cost the broker, and for each of it. */
const more = (loud: Windows = [], calm: Windows = []): number => sum(loud, 'cpu') - (sum(calm, 'cpu') * loud.length) / calm.length;
const each = (loud: Windows = [], calm: Windows = []): number => more(loud, calm) / sum(loud, 'noise');

export const noisy: Figure = {
  name: 'noisy',
  about: 'one agent asks 1,000 times a second; p99 of another, with it and without',
  async measure({ quick, tell }) {
    const clients = { 'triage-bot': 'triage-bot-app' };
    const [limited, unlimited, echo] = [await setScene({ clients }), await setScene({ clients }), await setScene({ clients })];
    const seconds = quick ? 1 : 2;
    const count = quick ? 6 : 30;
    try {
      // Both agents ask from one address.
      const { pressureMs: _pressure, ...rest } = UNLIMITED;
      await limited.tell({ be: 'broker', config: { ...limited.config, limits: { ...rest, perAgent: LIMIT } } });
      await unlimited.tell({ be: 'broker', config: unlimited.config });
      await echo.tell({ be: 'echo', port: echo.port });
      const places: Readonly<Record<Kind, readonly [at: Bench, noise: Bench | undefined]>> = {
        alone: [limited, undefined],
        limited: [limited, limited],
        elsewhere: [limited, echo],
        unlimited: [unlimited, unlimited],
      };
      const taken: Record<Kind, Taken[]> = { alone: [], limited: [], elsewhere: [], unlimited: [] };
      for (let i = -WARMING; i < count; i++) {
        tell(i < 0 ? 'warming up' : `windows ${i + 1} of ${count}`);
        for (const kind of i % 2 ? KINDS : KINDS.toReversed()) {
          const one = await once(...places[kind], seconds);
          if (i >= 0) taken[kind].push(one);
          await sleep(REST_MS);
        }
      }
      const { alone } = taken;
      const times = (what: string, kind: Kind, to: Kind, target?: Target): Row => ({
        ...resampled([taken[kind], taken[to]], ([with_ = [], without = []]) => p99(with_) / p99(without)),
        what,
        unit: '×',
        ...(target && { target }),
      });
      const ms = (what: string, kind: Kind): Row => ({ ...resampled([taken[kind]], ([one = []]) => p99(one)), what, unit: 'ms' });
      const cost = (what: string, of: readonly Windows[], measured: (kinds: readonly Windows[]) => number): Row => ({
        ...resampled(of, measured),
        what,
        unit: 'µs',
      });
      return {
        rows: [
          times('p99 with the noise ÷ without', 'limited', 'alone', { atMost: 1.2, excellent: 1.1 }),
          times('  with the noise at another server: the machine and the generator', 'elsewhere', 'alone'),
          times('  with the noise here ÷ at another server: the broker', 'limited', 'elsewhere'),
          times('  without limits, for comparison', 'unlimited', 'alone'),
          ms('  p99 alone', 'alone'),
          ms('  p99 with the noise', 'limited'),
          ms('  p99 with the noise, without limits', 'unlimited'),
          rowOf(
            '  of the noise turned away',
            '%',
            taken.limited.map(({ refused, noise }) => (100 * refused) / noise),
          ),
          cost('  CPU of the broker for one that is turned away', [taken.limited, alone, taken.unlimited], ([loud, calm, all]) => {
            const rest = (sum(loud, 'noise') - sum(loud, 'refused')) * each(all, calm);
            return (more(loud, calm) - rest) / sum(loud, 'refused');
          }),
          cost('  and for one that is not', [taken.unlimited, alone], ([all, calm]) => each(all, calm)),
          cost('  and of a server that does no more than read it', [taken.elsewhere], ([one]) => sum(one, 'floor') / sum(one, 'noise')),
        ],
        notes: [
          `${QUIET.agent} asks ${QUIET.perSecond} times a second, ${NOISY.agent} ${NOISY.perSecond} times, both by Poisson, in ${count} windows of ${seconds} s of each kind in turn. Latencies of a kind are pooled; the range is that of 95 of a hundred resamplings of the windows. The limit of agents is ${LIMIT.requests} in ${LIMIT.seconds} s. The generator of both shares the machine: the second row is its part, the third the broker's.`,
        ],
      };
    } finally {
      for (const bench of [limited, unlimited, echo]) await bench.stop();
    }
  },
};

/** One window. Throws when the quiet one is refused anything. */
async function once(at: Bench, noise: Bench | undefined, seconds: number): Promise<Taken> {
  const scene = await at.scene();
  const quiet = requestsOf(scene, at, QUIET, seconds, {});
  const call = () => ({ identifier: 'list_orders', arguments: {} });
  const loud = noise && requestsOf(noise === at ? scene : { ...scene, issuer: noise.config.issuer }, noise, NOISY, seconds, { call });
  return driving([at.port, noise?.port ?? at.port], async (own, others) => {
    const other = noise === at ? undefined : noise;
    const [before, floor] = [await at.usage(), await other?.usage()];
    const [{ latencies, statuses }, answered] = await Promise.all([
      own?.open(quiet.requests, quiet.dues, CONNECTIONS) ?? Promise.reject(new Error('no drive')),
      loud && others?.open(loud.requests, loud.dues, CONNECTIONS),
    ]);
    const { cpu } = await at.usage();
    granted(statuses);
    const after = await other?.usage();
    return {
      latencies,
      cpu: cpu - before.cpu,
      floor: (after?.cpu ?? 0) - (floor?.cpu ?? 0),
      refused: answered?.statuses.get(429) ?? 0,
      noise: loud?.requests.length ?? 0,
    };
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
