/** What is measured, in a process of its own so that its CPU time is its own. Told by messages what to be. */

import { pino } from 'pino';
import { createApp } from '../../src/app.ts';
import { type ConfigInput, parseConfig } from '../../src/config.ts';
import { createWorld } from '../../src/world.ts';
import { startEcho } from './echo.ts';
import { floors } from './floors.ts';

export type Order =
  | { readonly be: 'broker'; readonly config: ConfigInput }
  | { readonly be: 'echo'; readonly port: number }
  | { readonly ask: 'usage' | 'floors' | 'gc' };
let close: () => Promise<void> = async () => undefined;

process.on('message', (order: Order) => {
  void obey(order).then((answer) => process.send?.(answer));
});
process.on('disconnect', () => process.exit());
process.on('SIGTERM', () => process.exit());

async function obey(order: Order): Promise<object> {
  if ('be' in order) {
    await close();
    if (order.be === 'echo') close = await startEcho(order.port);
    else {
      const log = pino({ base: null }, pino.destination({ dest: '/dev/null', sync: false, minLength: 4096 }));
      const app = await createApp(parseConfig(order.config), { world: createWorld(), log, environment: {} });
      await app.listen();
      close = () => app.close();
    }
    return { readyMs: performance.now() };
  }
  if (order.ask === 'floors') return floors();
  if (order.ask === 'gc') globalThis.gc?.();
  const { user, system } = process.cpuUsage();
  const main = process.threadCpuUsage();
  return { cpu: user + system, main: main.user + main.system, heap: process.memoryUsage().heapUsed, rss: process.memoryUsage.rss(), handles: process.getActiveResourcesInfo().length };
}
