/** The library that tool servers import, in a hot loop: every check of wire.md §5 on a fresh action token and a fresh proof, until it is used up. */
import { createPublicKey, type KeyObject, randomUUID, verify } from 'node:crypto';
import { createVerifier, memoryConsumed } from '../../src/verify/verify.ts';
import { digest } from '../../src/wire/digest.ts';
import type { JsonObject } from '../../src/wire/json.ts';
import { newKey, sha256, type TestKey } from '../support/keys.ts';
import { bareJwk, DETAILS, RESOURCE } from '../support/rig.ts';
import { quickJwt } from './requests.ts';

export interface Loop {
  /** CPU µs: of one `verify`, and of the two signature checks in it. */
  readonly verified: number;
  readonly signatures: number;
}
interface Call {
  readonly token: string;
  readonly proof: string;
  readonly holder: TestKey;
  readonly args: JsonObject;
}
const ISSUER = 'https://broker.example';
const COUNT = 500;
const issuer = newKey('token-key');
const holders = Array.from({ length: 20 }, () => newKey());
const issuerKey = createPublicKey(issuer.private);
const holderKeys = new Map(holders.map((holder) => [holder, createPublicKey(holder.private)]));
const verifier = createVerifier({
  issuer: ISSUER,
  resource: RESOURCE,
  tools: ['create_refund'],
  consumed: memoryConsumed(),
  keys: { find: async () => issuerKey },
});

/** One sample of both, on the same tokens. */
export async function work(): Promise<Loop> {
  const calls = Array.from({ length: COUNT }, (_, i) => makeCall(i));
  const verified = await cost(async () => {
    for (const { token, proof, args } of calls) {
      const http = { method: 'POST', url: RESOURCE, authorization: `DPoP ${token}`, dpop: proof };
      await verifier.verify({ tool: 'create_refund', arguments: args, http });
    }
  });
  const checks = calls.map(
    ({ token, proof, holder }) => [parts(token, issuerKey), parts(proof, holderKeys.get(holder) ?? issuerKey)] as const,
  );
  const signatures = await cost(async () => {
    for (const [token, proof] of checks) if (!holds(token) || !holds(proof)) throw new Error('does not verify');
  });
  return { verified, signatures };
}
async function cost(loop: () => Promise<void>): Promise<number> {
  // What the making of the calls left behind is not the verifier's.
  globalThis.gc?.();
  const before = process.cpuUsage();
  await loop();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / COUNT;
}
interface Check {
  readonly key: KeyObject;
  readonly signed: Buffer;
  readonly signature: Buffer;
}
function parts(token: string, key: KeyObject): Check {
  const end = token.lastIndexOf('.');
  return { key, signed: Buffer.from(token.slice(0, end)), signature: Buffer.from(token.slice(end + 1), 'base64url') };
}
const holds = ({ key, signed, signature }: Check): boolean => verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, signature);

function makeCall(i: number): Call {
  const holder = holders[i % holders.length] ?? issuer;
  const args = { payment_id: `pay_${i}`, amount_minor: 4250, currency: 'EUR' };
  const now = Math.floor(Date.now() / 1000);
  const id = randomUUID();
  const token = quickJwt(
    issuer,
    { typ: 'at+jwt', kid: issuer.kid },
    {
      iss: ISSUER,
      sub: 'people:u_bob',
      aud: RESOURCE,
      client_id: 'refund-bot',
      iat: now,
      exp: now + 60,
      jti: `tok_${id}`,
      txn: `txn_${id}`,
      scope: 'tool:create_refund',
      act: { sub: 'refund-bot', iss: ISSUER },
      cnf: { jkt: holder.jkt },
      authorization_details: [
        { type: DETAILS, locations: [RESOURCE], actions: ['tools/call'], identifier: 'create_refund', arguments_digest: digest(args) },
      ],
    },
  );
  const claims = { htm: 'POST', htu: RESOURCE, iat: now, jti: randomUUID(), ath: sha256(token) };
  return { token, args, holder, proof: quickJwt(holder, { typ: 'dpop+jwt', jwk: bareJwk(holder) }, claims) };
}
