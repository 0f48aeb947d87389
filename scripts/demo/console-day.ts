/** `npm run demo -- --console`: a broker with a busy few minutes behind it, and a link into its console. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { pino } from 'pino';
import { operatorClient } from '../operator-client.ts';
import { type Company, type Fate, openCompany } from './company.ts';
import { leaveWaiting, playDay, trickle } from './day.ts';
import { addDay, DAY_AGENTS, DAY_SERVERS } from './day-bundle.ts';
import { demoKey } from './keys.ts';
import type { Narrator } from './narrator.ts';
import { type Office, startOffice } from './office.ts';
import { type Stage, setStage } from './stage.ts';

export interface ConsoleDay {
  readonly stage: Stage;
  readonly company: Company;
  /** What became of the calls. */
  readonly fates: Readonly<Record<Fate, number>>;
  /** A new link each time: each is good once. */
  link(): Promise<{ readonly url: string; readonly expires_in: number }>;
  close(): Promise<void>;
}
/** Everything in this process and a temporary folder. */
export async function openConsoleDay(tell: Narrator): Promise<ConsoleDay> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-console-'));
  const offices = new Map<string, Office>();
  const held: (() => Promise<void>)[] = [async () => rmSync(folder, { recursive: true, force: true })];
  const close = async (): Promise<void> => {
    for (const release of held.splice(0).reverse()) await release();
  };
  try {
    tell.step('On stage');
    const stage = await setStage({
      folder,
      log: pino({ level: 'silent' }),
      more: DAY_AGENTS,
      host: 'localhost',
      bundle: async (policies, { issuer, keys }) => {
        const servers = Object.fromEntries(Object.keys(DAY_SERVERS).map((id) => [id, demoKey(id)]));
        for (const [id, { name, tools }] of Object.entries(DAY_SERVERS)) {
          const fails = (tool: string, args: object): boolean => tool === 'add_note' && !('text' in args);
          const office = await startOffice({ id, name, tools: Object.keys(tools), issuer, key: servers[id] ?? demoKey(id), fails });
          offices.set(id, office);
          held.push(() => office.close());
        }
        const all = Object.fromEntries(Object.entries({ ...keys, ...servers }).map(([id, key]) => [id, key.publicJwk]));
        const resources = Object.fromEntries([...offices].map(([id, { resource }]) => [id, resource]));
        await addDay({ folder: policies, keys: all, resources });
      },
    });
    held.push(() => stage.close());
    const { issuer } = stage.app;
    const socket = stage.config.operator.socket;
    const resources = { shop: stage.shop.resource, ...Object.fromEntries([...offices].map(([id, { resource }]) => [id, resource])) };
    const company = openCompany({ issuer, socket, people: stage.people, keys: { ...stage.agents, ...stage.more }, resources });
    held.push(() => company.close());
    tell.facts('all of it in this process, in a temporary folder', [
      ['broker', issuer, 'SQLite, fresh keys'],
      ['people', stage.people.issuer, 'Alice leads support, Bob works there, Carol looks after privacy, Dana runs it all'],
      ['agents', String(Object.keys(stage.agents).length + DAY_AGENTS.length), 'some for people, some alone, one whose owner has left'],
      ['servers', String(Object.keys(resources).length), 'MCP servers, guarded by countersign/verify'],
    ]);
    tell.step('A busy few minutes');
    tell.say('Every line of it is a real exchange, at the time when it happens: nothing is written into the ledger by hand or dated back.');
    const fates = { ran: 0, refused: 0, waits: 0 };
    await playDay(company, (fate) => {
      fates[fate]++;
      const count = fates.ran + fates.refused + fates.waits;
      if (count % 25 === 0) tell.say(`${count} calls …`);
    });
    await company.plan('refund-bot', 'alice', [
      { server: 'shop', tool: 'list_orders', args: { customer_id: 'cus_anna' }, why: 'what is still open' },
      { server: 'shop', tool: 'delete_customer', args: { customer_id: 'cus_anna' }, why: 'asked to be forgotten' },
    ]);
    tell.check(
      `${fates.ran} ran, ${fates.refused} were refused, ${fates.waits} wait for people`,
      fates.ran > 60 && fates.refused > 8 && fates.waits > 5,
    );
    return {
      stage,
      company,
      fates,
      link: async () => (await operatorClient({ socket })('POST', '/operator/tickets', {})).body as { url: string; expires_in: number },
      close,
    };
  } catch (fault) {
    await close();
    throw fault;
  }
}

const PACE_MS = 2_500;
/** Until Ctrl-C. Enter brings another link, where somebody types. */
export async function consoleDay(tell: Narrator): Promise<undefined> {
  const day = await openConsoleDay(tell);
  const { issuer } = day.stage.app;
  const show = async (): Promise<void> => {
    const { url, expires_in: seconds } = await day.link();
    tell.facts('console', [
      ['open', url, `logs you in once, within ${seconds} s`],
      ['or as', `${issuer}/console`, 'Alice, Bob, Carol who approves, or Dana who operates; no passwords'],
    ]);
    tell.say(process.stdin.isTTY ? 'Enter brings another link; Ctrl-C stops it all.' : 'An interrupt stops it all.');
  };
  tell.step('Look around');
  await show();
  const stopped = new AbortController();
  const stop = (): void => stopped.abort();
  process.once('SIGINT', stop).once('SIGTERM', stop);
  if (process.stdin.isTTY) process.stdin.on('data', () => void show());
  for (let at = 1; !stopped.signal.aborted; at++) {
    await pause(PACE_MS, undefined, { signal: stopped.signal }).catch(() => undefined);
    // An answer that is no refusal ends the demo's business, not the demo.
    if (!stopped.signal.aborted) await trickle(day.company, at).catch(() => undefined);
    if (at % 24 === 0) await leaveWaiting(day.company).catch(() => undefined);
  }
  process.stdin.destroy();
  await day.close();
}
