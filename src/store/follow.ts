/** Tells this process's followers which keys changed. How the news comes is the back end's matter. */
export interface Followers {
  follow(prefix: string, signal: AbortSignal): AsyncIterable<string>;
  tell(keys: Iterable<string>): void;
  readonly any: boolean;
  /** What is followed. */
  prefixes(): readonly string[];
  end(): void;
}
interface Follower {
  readonly prefix: string;
  /** Names not yet read. A set: whoever reads slowly reads each name once, and memory is bounded by the names. */
  readonly names: Set<string>;
  wake: (() => void) | undefined;
  ended: boolean;
}

export function createFollowers(): Followers {
  const followers = new Set<Follower>();
  function end(follower: Follower): void {
    follower.ended = true;
    followers.delete(follower);
    follower.wake?.();
  }
  return {
    follow(prefix, signal) {
      const follower: Follower = { prefix, names: new Set(), wake: undefined, ended: signal.aborted };
      // From now on, not from the first read: what changes between the two is not missed.
      if (!follower.ended) followers.add(follower);
      const stop = (): void => end(follower);
      signal.addEventListener('abort', stop, { once: true });
      return (async function* () {
        try {
          while (!follower.ended) {
            const [name] = follower.names;
            if (name !== undefined) {
              follower.names.delete(name);
              yield name;
              continue;
            }
            await new Promise<void>((resolve) => {
              follower.wake = resolve;
            });
          }
        } finally {
          end(follower);
          signal.removeEventListener('abort', stop);
        }
      })();
    },
    tell(keys) {
      for (const key of keys) {
        for (const follower of followers) {
          if (!key.startsWith(follower.prefix)) continue;
          follower.names.add(key);
          follower.wake?.();
        }
      }
    },
    get any() {
      return followers.size > 0;
    },
    prefixes: () => [...new Set([...followers].map((follower) => follower.prefix))],
    end() {
      for (const follower of [...followers]) end(follower);
    },
  };
}
