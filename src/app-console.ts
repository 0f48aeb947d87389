/** Composition of the console: loaded only where it is configured. */
import { fastifyCookie } from '@fastify/cookie';
import type { FastifyInstance } from 'fastify';
import { readSecret } from './app-backends.ts';
import type { Config } from './config.ts';
import { readAssets } from './console/assets.ts';
import { createConsole } from './console/console.ts';
import { cookies } from './console/cookies.ts';
import { createLogin, type LoginSettings } from './console/login.ts';
import { createNames } from './console/names.ts';
import { createSessions } from './console/session.ts';
import { createTickets } from './console/tickets.ts';
import { ConfigError } from './errors.ts';
import type { Metrics } from './http/health.ts';
import { operatorEndpoints } from './http/operator.ts';
import type { Secret } from './keys/secret.ts';
import type { World } from './model.ts';
import type { ListCalled, MintTicket, Operate } from './operate/operator.ts';
import type { Recorder } from './record/record.ts';
import type { Store } from './store/store.ts';

export interface People {
  readonly tickets: MintTicket;
  readonly names: ListCalled;
  /** What stands on the public address: the pages, and the operator API for those who have logged in there. */
  readonly routes: (parts: { readonly operate: Operate; readonly metrics: Metrics }) => (server: FastifyInstance) => Promise<void>;
}
type Environment = Readonly<Record<string, string | undefined>>;

/** Throws ConfigError. */
export function openConsole(
  config: Pick<Config, 'issuer' | 'issuers'> & { readonly console: NonNullable<Config['console']> },
  rooms: {
    readonly store: Store;
    readonly world: World;
    readonly record: Recorder;
    readonly secret: Secret;
    readonly environment: Environment;
  },
): People {
  const { issuer, console: settings } = config;
  const { sessionSeconds, idleSeconds } = settings;
  const sessions = createSessions({ ...rooms, sessionSeconds, idleSeconds });
  const names = createNames(rooms);
  const tickets = createTickets({ ...rooms, address: `${issuer}/console/login` });
  const at = settings.login && loginSettings(config, settings.login, rooms.environment);
  const parts = {
    issuer,
    sessions,
    tickets,
    names,
    record: rooms.record,
    cookies: cookies({ secure: issuer.startsWith('https:') }),
    assets: readAssets(),
    ...(at && { login: createLogin(at, { ...rooms, redirect: `${issuer}/console/callback`, home: `${issuer}/console` }) }),
  };
  const { who, refused, harden, pages } = createConsole(parts);
  return {
    tickets: tickets.mint,
    names: names.list,
    routes: (parts) => async (server) => {
      await server.register(fastifyCookie);
      server.addHook('onRequest', async (_, reply) => harden(reply));
      pages(server);
      await server.register(async (scope) => operatorEndpoints(scope, { ...parts, who, refused, local: false }));
    },
  };
}
type LoginConfig = NonNullable<NonNullable<Config['console']>['login']>;
function loginSettings({ issuers }: Pick<Config, 'issuers'>, login: LoginConfig, environment: Environment): LoginSettings {
  const { clientSecret, issuer: id, ...rest } = login;
  const found = issuers.find((one) => one.id === id);
  if (!found) throw new ConfigError(['console.login.issuer: there is no such issuer of people']);
  const secret = clientSecret && readSecret(clientSecret, 'console.login.clientSecret', environment);
  return { ...rest, issuer: { id, url: found.issuer }, ...(secret !== undefined && { clientSecret: secret }) };
}
