import type { ConnectionOptions } from 'node:tls';
import { Redis, type RedisOptions } from 'ioredis';
import { refused } from './store-redis-open.ts';

/** One server; or the Sentinels that know which one is the master; or some nodes of a Cluster. */
export type Place =
  | { readonly url: string }
  | { readonly sentinels: readonly Address[]; readonly master: string }
  | { readonly nodes: readonly Address[] };
export interface Address {
  readonly host: string;
  readonly port: number;
}
export interface Access {
  readonly place: Place;
  /** What everything lies under; in a Cluster its hash decides the slot. */
  readonly tag: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly sentinelPassword?: string | undefined;
  readonly tls?: ConnectionOptions | undefined;
  /** Any one answer, and any one connection, must be there within this. */
  readonly timeoutMs: number;
}

type Where = Omit<RedisOptions, 'replyMapping'>;

/** A connection to the server that has our data. Throws within twice the timeout when there is none. */
export async function connect(access: Access): Promise<Redis> {
  const { place } = access;
  if ('url' in place) return open(access, urlOf(place.url, access));
  if ('sentinels' in place) {
    return open(access, {
      sentinels: place.sentinels.map((address) => ({ ...address })),
      name: place.master,
      role: 'master',
      sentinelRetryStrategy: () => null,
      sentinelCommandTimeout: access.timeoutMs,
      ...(access.sentinelPassword !== undefined && { sentinelPassword: access.sentinelPassword }),
      ...(access.tls && { enableTLSForSentinelMode: true, sentinelTLS: access.tls }),
    });
  }
  return open(access, await ownerOf(access, place.nodes));
}
function urlOf(text: string, access: Access): Where {
  const url = new URL(text);
  const db = Number(url.pathname.slice(1));
  return {
    ...(url.protocol === 'unix:'
      ? { path: url.pathname }
      : { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || 6379), db }),
    ...(url.protocol === 'rediss:' && { tls: { ...access.tls } }),
  };
}

/** Which node of the Cluster has our slot? Asked again at every connection, since slots move and masters change; of all, since some are down. */
async function ownerOf(access: Access, nodes: readonly Address[]): Promise<Address> {
  try {
    return await Promise.any(nodes.map((node) => ask(access, node)));
  } catch (fault) {
    throw (fault instanceof AggregateError ? fault.errors[0] : fault) ?? refused('away');
  }
}
async function ask(access: Access, node: Address): Promise<Address> {
  const client = await open(access, { ...node });
  try {
    const slot = await client.cluster('KEYSLOT', access.tag);
    const slots = await client.cluster('SLOTS');
    const owner = slots.find(([first, last]) => first <= slot && slot <= last);
    if (!owner?.[2]) throw refused('slots');
    const [host, port] = owner[2];
    // A node that knows no name of its own is the one that was asked.
    return { host: host || node.host, port };
  } finally {
    client.disconnect();
  }
}

/** hazards.md: with its defaults a dead Redis makes every call wait for ever, and what was in doubt is sent again. Who lost a connection makes a new one. */
async function open(access: Access, where: Where): Promise<Redis> {
  const client = new Redis({
    lazyConnect: true,
    retryStrategy: () => null,
    enableOfflineQueue: false,
    enableReadyCheck: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    commandTimeout: access.timeoutMs,
    connectTimeout: access.timeoutMs,
    protocol: 2,
    disableClientInfo: true,
    showFriendlyErrorStack: false,
    ...(access.username !== undefined && { username: access.username }),
    ...(access.password !== undefined && { password: access.password }),
    ...(access.tls && { tls: access.tls }),
    ...where,
  });
  // A call that fails with the connection says only that; here stands why.
  let said: unknown;
  client.on('error', (fault) => {
    said = fault;
  });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('no connection in time')), access.timeoutMs);
  });
  try {
    await Promise.race([client.connect(), late]);
    return client;
  } catch (fault) {
    client.disconnect();
    throw said ?? fault;
  } finally {
    clearTimeout(timer);
  }
}
