/**
 * A broker whose clock runs many times as fast: what a rotation waits for are minutes. `fast-broker.ts <config> <speed> <epoch ms>`: its
 * clock showed the right time then. Only its deadlines stay as long as they are.
 */
import { pino } from 'pino';
import { createApp } from '../../src/app.ts';
import { readConfig } from '../../src/main.ts';
import { createWorld } from '../../src/world.ts';

const [, , config, speed = '1', base = '0'] = process.argv;
const monotonic = (): number => performance.now() * Number(speed);
const origin = Number(base) + (performance.timeOrigin - Number(base)) * Number(speed);
const world = createWorld({ wall: () => origin + monotonic(), monotonic });
const app = await createApp(readConfig(config), { world, log: pino({ level: 'warn' }), environment: {} });
await app.listen();
process.on('SIGTERM', () => void app.close());
