/** What has been used once: knows ids and times, may not know what a token is. */

/** One method, so that a tool server brings its own store in five lines. */
export interface Consumed {
  /**
   * Atomic: true the first time, false ever after, on every replica that shares the store; throws when it cannot know.
   * The mark is kept at least until `until` (epoch seconds).
   */
  consume(id: string, until: number): Promise<boolean>;
  /** Epoch seconds before which it remembers nothing: older action tokens are refused. Absent: it has always been there. */
  readonly since?: number;
}

/** Marks outlive their end by this much, so that a clock that jumps ahead and back reopens nothing. */
export const KEEP_SECONDS = 3_600;

/**
 * For one process. It forgets at the end of the process, so it refuses tokens older than its start; a server that restarts often, or has
 * replicas, wants `sqliteConsumed` or a shared store. Over `limit` marks it throws: what is full cannot say "first time".
 */
export function memoryConsumed(options: { readonly now?: () => number; readonly limit?: number } = {}): Consumed {
  const now = options.now ?? (() => Math.floor(Date.now() / 1000));
  const limit = options.limit ?? 1_000_000;
  const marks = new Map<string, number>();
  let nextSweep = 0;
  return {
    since: now(),
    async consume(id, until) {
      if (marks.has(id)) return false;
      const at = now();
      if (at >= nextSweep) {
        nextSweep = at + 60;
        for (const [old, end] of marks) if (end + KEEP_SECONDS < at) marks.delete(old);
      }
      if (marks.size >= limit) throw new Error('memory of consumed actions is full');
      marks.set(id, until);
      return true;
    },
  };
}
