/** A console over a million entries and ten thousand approvals that wait: what each of its pages asks, and what the index of all that costs. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { operatorClient } from '../../scripts/operator-client.ts';
import type { Batch } from '../../src/store/store.ts';
import type { ConsoleFillInput } from './console-fill.ts';
import { type Figure, quantile, type Row, rowOf } from './figure.ts';
import { residentOf } from './machine.ts';
import { httpOf, makeRequests } from './requests.ts';
import { driving, granted, round } from './round.ts';
import { type Child, type Stage, setStage, startChild } from './scene.ts';

const MB = 1024 * 1024;
const PEOPLE = 20_000;
const TIMES = 15;

/** Every address that a page asks for, by page. */
const ASKED: readonly (readonly [string, string])[] = [
  ['Now: the last hour', '/operator/overview?minutes=60'],
  ['Now: seven days', '/operator/overview?minutes=10080'],
  ['Approvals: all that wait', '/operator/approvals?state=pending'],
  ['Agents', '/operator/agents'],
  ['Agents: what one has used', '/operator/usage?agent=refund-bot'],
  ['Explorer: newest', '/operator/entries?limit=50'],
  ['Explorer: an agent', '/operator/entries?agent=refund-bot&limit=50'],
  ['Explorer: one person of many', '/operator/entries?subject=people:u_777&limit=50'],
  ['Explorer: an agent’s refusals of a day', '/operator/entries?agent=triage-bot&outcome=refused&from=FROM&limit=50'],
  ['Explorer: what never was', '/operator/entries?agent=nightly-report&outcome=ended&limit=50'],
  ['Explorer: a part of a name', '/operator/entries?q=u_1234&limit=50'],
  ['Explorer: two hundred, far back', '/operator/entries?agent=refund-bot&before=1000&limit=200'],
  ['Explorer: one action', '/operator/explain/ID'],
  ['Keys', '/operator/keys'],
  ['Health', '/operator/status'],
];

export const consoles: Figure = {
  name: 'console',
  about: 'what its pages ask, over a long ledger',
  async measure({ quick, tell }) {
    const count = quick ? 100_000 : 1_000_000;
    const pending = quick ? 1_000 : 10_000;
    const stage = await setStage();
    const child = startChild();
    try {
      tell('a real exchange, to fill the ledger with its like');
      const like = await oneBatch(stage);
      tell(`filling with ${count.toLocaleString('en')} entries and ${pending.toLocaleString('en')} approvals`);
      const filler = startChild();
      const { store } = stage.config;
      if (store.use !== 'sqlite') throw new Error('this figure is of a file');
      const input: ConsoleFillInput = { path: store.path, keyFile: join(stage.folder, 'key'), count, pending, people: PEOPLE, like };
      await filler.tell({ do: './console-fill.ts', input });
      await filler.end();
      // Without a console nothing is indexed before somebody asks: so the same warm broker is seen before, meanwhile and after.
      const first = startChild();
      await first.tell({ be: 'broker', config: stage.config });
      tell('warming up');
      for (let i = 0; i < 3; i++) await latencies(stage, 300);
      const alone = await latencies(stage, 400);
      const built = await whileBuilt(stage, first, tell);
      tell('exchanges beside the whole index');
      const after = await latencies(stage, 400);
      await first.end();
      await child.tell({ be: 'broker', config: { ...stage.config, console: {} } });
      const few = count.toLocaleString('en');
      return {
        rows: [
          ...(await pages(stage, tell)),
          rowOf(`index ${few} entries, beside exchanges`, 's', [built.seconds]),
          rowOf('  resident memory, before', 'MB', [built.before / MB]),
          rowOf('  resident memory, at its most meanwhile', 'MB', [built.most / MB]),
          rowOf('  p50 of an exchange, a hundred a second, before', 'ms', [quantile(alone, 0.5)]),
          rowOf('    meanwhile', 'ms', [quantile(built.latencies, 0.5)]),
          rowOf('    afterwards', 'ms', [quantile(after, 0.5)]),
          rowOf('  p99, before', 'ms', [quantile(alone, 0.99)]),
          rowOf('    meanwhile', 'ms', [quantile(built.latencies, 0.99)]),
          rowOf('    afterwards', 'ms', [quantile(after, 0.99)]),
        ],
        notes: [
          `Over HTTP with a session, ${TIMES} times each, one after the other; ${PEOPLE.toLocaleString('en')} people, three agents, an eighth refused, ${pending.toLocaleString('en')} approvals wait.`,
        ],
      };
    } finally {
      await child.end();
      stage.clear();
    }
  },
};

/** With a one-time link, as a person without an issuer comes in. */
async function logIn({ config, folder }: Stage): Promise<(path: string) => Promise<Response>> {
  const { body } = await operatorClient({ socket: join(folder, 'operator.sock') })('POST', '/operator/tickets', {});
  const answer = await fetch((body as { readonly url: string }).url, { redirect: 'manual' });
  const cookie = answer.headers
    .getSetCookie()
    .map((one) => one.split(';')[0])
    .join('; ');
  if (cookie === '') throw new Error('no session was begun');
  return (path) => fetch(`${config.issuer}${path}`, { headers: { cookie } });
}
async function pages(stage: Stage, tell: (text: string) => void): Promise<readonly Row[]> {
  const get = await logIn(stage);
  const [newest] = (
    (await (await get('/operator/entries?agent=refund-bot&limit=1')).json()) as { entries: { entry: { exchange: string } }[] }
  ).entries;
  const rows: Row[] = [];
  for (const [what, address] of ASKED) {
    const path = address.replace('FROM', String(Math.floor(Date.now() / 1000) - 24 * 3600)).replace('ID', newest?.entry.exchange ?? '');
    tell(path);
    const taken: number[] = [];
    for (let i = 0; i < TIMES; i++) {
      const at = performance.now();
      const answer = await get(path);
      await answer.arrayBuffer();
      if (answer.status !== 200) throw new Error(`${path}: ${answer.status}`);
      taken.push(performance.now() - at);
    }
    rows.push(rowOf(what, 'ms', taken, { atMost: 300 }));
  }
  return rows;
}

async function latencies(stage: Stage, count: number): Promise<readonly number[]> {
  return driving([stage.port], async (broker) => {
    const requests = makeRequests(await stage.scene(), count, { subjects: 'fresh' }).map((one) => httpOf(one));
    const { latencies: taken, statuses } = await broker.open(
      requests,
      requests.map((_, i) => i * 10),
      64,
    );
    granted(statuses);
    return taken;
  });
}
interface Built {
  readonly seconds: number;
  readonly before: number;
  readonly most: number;
  readonly latencies: readonly number[];
}
async function whileBuilt(stage: Stage, child: Child, tell: (text: string) => void): Promise<Built> {
  const resident = (): number => residentOf(child.pid)?.rss ?? 0;
  const before = resident();
  const began = performance.now();
  let most = before;
  let whole = false;
  const ask = operatorClient({ socket: join(stage.folder, 'operator.sock') });
  const watching = (async () => {
    while (!whole) {
      const { body } = await ask('GET', '/operator/overview?minutes=1');
      const { indexed } = body as { readonly indexed: { readonly whole: boolean; readonly through: number } };
      tell(`index up to ${indexed.through.toLocaleString('en')}`);
      whole = indexed.whole;
      most = Math.max(most, resident());
      await sleep(250);
    }
    return (performance.now() - began) / 1000;
  })();
  const taken: number[] = [];
  while (!whole) taken.push(...(await latencies(stage, 200)));
  return { seconds: await watching, before, most, latencies: taken };
}

async function oneBatch(stage: Stage): Promise<Batch<string>> {
  const child = startChild({ swap: './swap-capture.ts' });
  try {
    await child.tell({ be: 'broker', config: stage.config });
    await driving([stage.port], async (broker) => round(child, broker, makeRequests(await stage.scene(), 2, { subjects: 'fresh' }), 1));
    const [batch] = await child.tell<readonly Batch<string>[]>({ do: './swap-capture.ts' });
    if (batch?.entries[0]?.body['kind'] !== 'minted') throw new Error('the last commit is not that of a grant');
    return batch;
  } finally {
    await child.end();
  }
}
