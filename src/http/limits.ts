/** What no exchange is begun for: too much from one address, or more than this broker can do in time. Counted, never recorded (wire.md §3.3). */
import { isIP } from 'node:net';
import rateLimit, { normalizeIP } from '@fastify/rate-limit';
import underPressure from '@fastify/under-pressure';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Rates } from './rates.ts';

export interface Limits {
  /** Of one address; absent: none. */
  readonly perAddress?: Rates;
  /** So late as the event loop is on average, in ms, or blocked for half a second, nothing more is begun. */
  readonly pressureMs: number | 'none';
}

/** The address that counts: of IPv6 its /64, which is one customer's. What a trusted proxy says that is no address is not taken for one. */
export const addressOf = ({ ip, socket }: Pick<FastifyRequest, 'ip' | 'socket'>): string =>
  normalizeIP(isIP(ip) ? ip : (socket.remoteAddress ?? ''));

/** Where whoever routes to us must hear from us when there is most to do. */
export const UNLIMITED = { pressureHandler: () => undefined, rateLimit: false } as const;
/** What a route that is shed answers with; it is told from other faults by this name. */
export const PRESSURE = 'pressure';
class Pressure extends Error {
  readonly code = PRESSURE;
  readonly statusCode = 503;
}

/** For the routes that come after it. */
export async function limit(server: FastifyInstance, { perAddress, pressureMs }: Limits): Promise<void> {
  if (pressureMs !== 'none')
    await server.register(underPressure, { maxEventLoopDelay: pressureMs, sampleInterval: 500, retryAfter: 1, customError: Pressure });
  if (!perAddress) return;
  class Store {
    incr(address: string, done: (fault: null, counted: { current: number; ttl: number }) => void): void {
      const wait = perAddress?.take(address);
      done(null, wait === undefined ? { current: 0, ttl: 0 } : { current: 2, ttl: wait });
    }
    child(): Store {
      return this;
    }
  }
  const none = { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false };
  await server.register(rateLimit, {
    store: Store,
    max: 1,
    skipOnError: false,
    keyGenerator: addressOf,
    addHeaders: { ...none, 'retry-after': true },
    addHeadersOnExceeding: none,
    errorResponseBuilder: () => Object.assign(new Error('limited'), { statusCode: 429 }),
  });
}
