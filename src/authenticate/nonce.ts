import { isSameText } from '../wire/digest.ts';

/** Server nonces for DPoP (RFC 9449 §8): a proof made in advance is worth nothing. */
export interface Nonces {
  /** Since when what was used up is remembered (epoch seconds): a proof with a nonce of ours was made no earlier. */
  since(): number;
  current(now: number): string;
  /** Of this window or the one before: it lives between one step and two. */
  fresh(nonce: string | undefined, now: number): boolean;
}

/**
 * Stateless: every broker that shares key file and store knows every nonce. `mac` is keyed to this purpose alone. When the store's memory
 * begins anew, so do the nonces: a proof that may have been used before is asked for again, and nobody waits.
 */
export function nonces(options: {
  readonly mac: (text: string) => string;
  readonly since?: () => number;
  readonly stepSeconds?: number;
}): Nonces {
  const { mac, since = () => 0, stepSeconds = 120 } = options;
  const made = new Map<string, string>();
  function of(step: number): string {
    const name = `dpop-nonce/${since()}/${step}`;
    const known = made.get(name);
    if (known !== undefined) return known;
    if (made.size > 2) made.clear();
    const nonce = mac(name);
    made.set(name, nonce);
    return nonce;
  }
  const step = (now: number): number => Math.floor(now / stepSeconds);
  return {
    since,
    current: (now) => of(step(now)),
    fresh: (nonce, now) => nonce !== undefined && (isSameText(nonce, of(step(now))) || isSameText(nonce, of(step(now) - 1))),
  };
}
