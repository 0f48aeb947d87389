/** DPoP nonces without memory (RFC 9449 §9): each is a time and its HMAC. */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

export interface Nonces {
  issue(): string;
  check(nonce: string | undefined): boolean;
}

/** Replicas share `secret` (32 bytes); without one, nonces end with the process. A nonce lives `lifeSeconds`, 300 unless told. */
export function nonces(options: { readonly secret?: Uint8Array; readonly lifeSeconds?: number; readonly now?: () => number } = {}): Nonces {
  const secret = options.secret ?? randomBytes(32);
  const life = options.lifeSeconds ?? 300;
  const now = options.now ?? (() => Math.floor(Date.now() / 1000));
  const seal = (at: string): Buffer => createHmac('sha256', secret).update(`nonce ${at}`).digest();
  return {
    issue() {
      const at = String(now());
      return `${at}.${seal(at).toString('base64url')}`;
    },
    check(nonce) {
      const parts = /^(\d{1,12})\.([A-Za-z0-9_-]{43})$/.exec(nonce ?? '');
      if (!parts?.[1] || !parts[2]) return false;
      const age = now() - Number(parts[1]);
      return timingSafeEqual(seal(parts[1]), Buffer.from(parts[2], 'base64url')) && age >= -5 && age <= life;
    },
  };
}
