import { timingSafeEqual } from 'node:crypto';

/** Server nonces for DPoP (RFC 9449 §8): a proof made in advance is worth nothing. */
export interface Nonces {
  current(now: number): string;
  /** Of this window or the one before: it lives between one step and two. */
  fresh(nonce: string | undefined, now: number): boolean;
}

/** Stateless: every broker that shares the key file knows every nonce. `mac` is keyed to this purpose alone. */
export function nonces(options: { readonly mac: (text: string) => string; readonly stepSeconds?: number }): Nonces {
  const { mac, stepSeconds = 120 } = options;
  const made = new Map<number, string>();
  function of(step: number): string {
    const known = made.get(step);
    if (known !== undefined) return known;
    if (made.size > 2) made.clear();
    const nonce = mac(`dpop-nonce/${step}`);
    made.set(step, nonce);
    return nonce;
  }
  const step = (now: number): number => Math.floor(now / stepSeconds);
  return {
    current: (now) => of(step(now)),
    fresh: (nonce, now) => nonce !== undefined && (same(nonce, of(step(now))) || same(nonce, of(step(now) - 1))),
  };
}

function same(a: string, b: string): boolean {
  const [x, y] = [Buffer.from(a), Buffer.from(b)];
  return x.length === y.length && timingSafeEqual(x, y);
}
