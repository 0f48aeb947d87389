/**
 * What is measured, in a process of its own so that its CPU time is its own. Told by messages what to be and what to do; a broker, an echo
 * and hot loops can share it, so that their costs are compared on the same warm machine.
 */
import { pino } from 'pino';
import type { ConfigInput } from '../../src/config.ts';

export type Order =
  | { readonly be: 'broker'; readonly config: ConfigInput }
  | { readonly be: 'echo'; readonly port: number }
  /** Calls `work(input)` of a module beside this one. */
  | { readonly do: string; readonly input?: unknown }
  | { readonly ask: 'usage' };
export interface Usage {
  /** µs: of the process, and of its main thread alone. */
  readonly cpu: number;
  readonly main: number;
}
process.on('message', (order: Order) => {
  obey(order).then(
    (answer) => process.send?.({ answer }),
    (fault: unknown) => process.send?.({ fault: fault instanceof Error ? (fault.stack ?? fault.message) : String(fault) }),
  );
});
process.on('disconnect', () => process.exit());
process.on('SIGTERM', () => process.exit());

async function obey(order: Order): Promise<unknown> {
  if ('do' in order) {
    const module = (await import(new URL(order.do, import.meta.url).href)) as { work(input: unknown): unknown };
    return module.work(order.input);
  }
  if ('be' in order) {
    if (order.be === 'broker') await broker(order.config);
    else await (await import('./echo.ts')).startEcho(order.port);
    return {};
  }
  const { user, system } = process.cpuUsage();
  const main = process.threadCpuUsage();
  return { cpu: user + system, main: main.user + main.system } satisfies Usage;
}

/** Loaded only now, so that a swap (`swap.ts`) has had its say. */
async function broker(input: ConfigInput): Promise<void> {
  const { createApp } = await import('../../src/app.ts');
  const { parseConfig } = await import('../../src/config.ts');
  const { createWorld } = await import('../../src/world.ts');
  const log = pino({ base: null }, pino.destination({ dest: '/dev/null', sync: false, minLength: 4096 }));
  const app = await createApp(parseConfig(input), { world: createWorld(), log, environment: {} });
  await app.listen();
}
