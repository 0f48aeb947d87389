/** Two whole brokers of one issuer on one Redis, as if its store had been there for long. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { pino } from 'pino';
import { createApp } from '../../src/app.ts';
import { type ConfigInput, parseConfig } from '../../src/config.ts';
import { createWorld } from '../../src/world.ts';
import { LOGIN } from '../support/login-idp.ts';
import { freePort, type Rig, startRig } from '../support/rig.ts';
import { UNLIMITED } from '../support/unlimited.ts';
import { until } from './program.ts';
import type { Redis } from './redis.ts';

export interface TwoBrokers {
  /** The first, with its issuer of people and its bundle; the other has the same. */
  readonly rig: Rig;
  /** Where they answer. */
  readonly doors: readonly [string, string];
  /** Their operator sockets. */
  readonly sockets: readonly [string, string];
  stop(): Promise<void>;
}
export const nonceOf = async (door: string): Promise<string> =>
  (await fetch(`${door}/token`, { method: 'POST', body: new URLSearchParams() })).headers.get('dpop-nonce') ?? '';

/** `console`: with pages and a login of people, at both; `host`: what they are called. */
export async function startTwo(
  redis: Redis,
  options: { readonly console?: boolean; readonly host?: 'localhost' } = {},
): Promise<TwoBrokers> {
  const { console = false, host } = options;
  const ends: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (const end of ends.reverse()) await end();
  };
  try {
    const environment = { KEY: randomBytes(32).toString('base64url'), REDIS: redis.password };
    const shared = {
      store: { use: 'redis', url: `redis://${redis.host}:${redis.port}`, password: { env: 'REDIS' } },
      keys: { use: 'local', secret: { env: 'KEY' } },
    } as const satisfies Partial<ConfigInput>;
    const rig = await startRig({ config: shared, environment, ...(console && { console: {} }), ...(host && { host }) });
    ends.push(rig.stop);
    const port = await freePort();
    const config = parseConfig({
      ...shared,
      issuer: rig.issuer,
      listen: { port },
      policies: join(rig.folder, 'policies'),
      operator: { socket: join(rig.folder, 'other.sock') },
      limits: UNLIMITED,
      ...(console && { console: { login: LOGIN } }),
      issuers: [
        {
          use: 'oidc',
          id: 'people',
          issuer: rig.idp.issuer,
          vouches: ['person', 'service'],
          clients: { 'refund-bot': 'refund-bot-app' },
          attributes: { groups: 'groups' },
        },
      ],
    });
    const other = await createApp(config, { world: createWorld(), log: pino({ level: 'silent' }), environment });
    ends.push(other.close);
    await other.listen();
    // What the tests bring was issued before the store was made.
    const doors = [rig.issuer, `http://127.0.0.1:${port}`] as const;
    const before = await Promise.all(doors.map(nonceOf));
    await redis.cli('HSET', '{countersign}:meta', 'since', '0');
    // Nonces begin anew with the memory: until both brokers have heard of it.
    await until(async () => {
      const [one, two] = await Promise.all(doors.map(nonceOf));
      return one === two && !before.includes(one ?? '');
    }, 'both brokers to be told');
    return { rig, doors, sockets: [join(rig.folder, 'operator.sock'), join(rig.folder, 'other.sock')], stop };
  } catch (fault) {
    await stop();
    throw fault;
  }
}
