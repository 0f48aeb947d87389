import type { KeyObject } from 'node:crypto';
import { sha256 } from './digest.ts';

/** Signatures that have held, by the very string of the token and the key it held under. A token changed by a bit, or a key withdrawn, is new. */
export interface Remembered {
  holds(token: string, key: KeyObject): boolean;
  keep(token: string, key: KeyObject, until: number): void;
}
/** The same subject token comes with every action of a person for as long as it lives; its claims are judged anew each time, its signature once. */
export function remembered(options: { readonly now: () => number; readonly most?: number }): Remembered {
  const { now, most = 10_000 } = options;
  const kept = new Map<string, { readonly key: KeyObject; readonly until: number }>();
  return {
    holds(token, key) {
      const name = sha256(token);
      const found = kept.get(name);
      if (!found) return false;
      if (found.until > now()) return found.key === key;
      kept.delete(name);
      return false;
    },
    keep(token, key, until) {
      if (kept.size >= most) kept.delete(kept.keys().next().value as string);
      kept.set(sha256(token), { key, until });
    },
  };
}
