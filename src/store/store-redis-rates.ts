/**
 * What brokers of one store count together beside it: how often somebody has asked. On a connection of its own, behind the requests, and nothing
 * that must last: a count that is lost lets somebody ask sooner.
 */
import { hash } from 'node:crypto';
import type { Redis } from 'ioredis';
import { StoreFault } from './store.ts';
import { type Access, connect } from './store-redis-connect.ts';

export interface RedisTally {
  /**
   * Adds to the counts of a window, and answers what they are then. `kind` keeps counts of one sort apart from those of another. Throws
   * StoreFault while the server cannot be reached; part of the counts may stand then.
   */
  add(
    kind: string,
    window: { readonly index: number; readonly seconds: number },
    counts: ReadonlyMap<string, number>,
  ): Promise<ReadonlyMap<string, number>>;
  close(): void;
}

export function redisTally(options: Omit<Access, 'tag'> & { readonly name: string }): RedisTally {
  const tag = `{${options.name}}`;
  let client: Redis | undefined;
  let connecting: Promise<Redis> | undefined;
  let closed = false;

  async function connected(): Promise<Redis> {
    if (client) return client;
    connecting ??= connect({ ...options, tag }).finally(() => {
      connecting = undefined;
    });
    const made = await connecting;
    if (closed) made.disconnect();
    else if (client !== made) {
      client = made;
      made.on('end', () => {
        if (client === made) client = undefined;
      });
    }
    return made;
  }

  return {
    async add(kind, { index, seconds }, counts) {
      if (closed) throw new StoreFault('closed');
      let at: Redis | undefined;
      try {
        at = await connected();
        const pipeline = at.pipeline();
        // A name may be an address: whoever lists the keys learns none.
        const keyOf = (name: string): string => `${tag}:rate:${kind}:${index}:${hash('sha256', name, 'base64url').slice(0, 22)}`;
        for (const [name, count] of counts) pipeline.incrby(keyOf(name), count).expire(keyOf(name), 2 * seconds);
        const replies = (await pipeline.exec()) ?? [];
        const fault = replies.find(([error]) => error)?.[0];
        if (fault || replies.length !== 2 * counts.size) throw fault ?? new Error('no answer');
        return new Map([...counts.keys()].map((name, i) => [name, Number(replies[2 * i]?.[1])]));
      } catch (fault) {
        // A replica that was the master, a slot that moved: another connection knows more.
        at?.disconnect();
        throw fault instanceof StoreFault ? fault : new StoreFault('unreachable', fault);
      }
    },
    close() {
      closed = true;
      client?.disconnect();
    },
  };
}
