import type { Json } from '../wire/json.ts';

/** The key file's uses. Each purpose has its own key by HKDF, so that none can stand for another. */
export interface Secret {
  /** AES-256-GCM under the key file with `name` as associated data: an edited, moved or foreign record does not open. */
  seal(name: string, value: Json): string;
  /** Throws Unavailable('seal') when it was not sealed under this name and key. */
  open(name: string, sealed: Json): Json;
  /** HMAC-SHA-256, base64url. */
  mac(purpose: 'approval' | 'arguments' | 'console' | 'nonce' | 'passkey' | 'receipt' | 'retry', text: string): string;
}
