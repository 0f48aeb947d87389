import { generateKeyPairSync } from 'node:crypto';
import type { JsonObject } from '../../src/wire/json.ts';

/** Made for one run and kept nowhere. */
export interface DemoKey {
  readonly kid: string;
  readonly privateJwk: JsonObject;
  readonly publicJwk: JsonObject;
}
export function demoKey(name: string): DemoKey {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const about = { kid: `${name}-demo`, alg: 'ES256', use: 'sig' };
  return {
    kid: about.kid,
    privateJwk: { ...(privateKey.export({ format: 'jwk' }) as JsonObject), ...about },
    publicJwk: { ...(publicKey.export({ format: 'jwk' }) as JsonObject), ...about },
  };
}
