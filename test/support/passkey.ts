/** An authenticator made of software: real ES256 keys, real WebAuthn bytes; what a test changes is wrong, the rest is right. */
import { createHash, createSign, generateKeyPairSync, randomBytes } from 'node:crypto';
import type { JsonObject } from '../../src/wire/json.ts';

export interface Wrong {
  readonly origin?: string;
  readonly rpId?: string;
  readonly challenge?: string;
  readonly type?: string;
  readonly crossOrigin?: boolean;
  readonly topOrigin?: string;
  /** User present, user verified. */
  readonly flags?: number;
  readonly counter?: number;
  readonly id?: string;
  /** Signed by another key than its own. */
  readonly forged?: boolean;
}
export interface SoftPasskey {
  readonly id: string;
  /** COSE, base64url. */
  readonly publicKey: string;
  /** What `navigator.credentials.create` answers. */
  register(challenge: string, wrong?: Wrong): JsonObject;
  /** What `navigator.credentials.get` answers. Counts each time. */
  sign(challenge: string, wrong?: Wrong): JsonObject;
}
const UP = 0x01;
const UV = 0x04;
const ATTESTED = 0x40;
const b64 = (bytes: Buffer): string => bytes.toString('base64url');
const sha256 = (bytes: Buffer | string): Buffer => createHash('sha256').update(bytes).digest();
const uint = (value: number, bytes: number): Buffer => {
  const out = Buffer.alloc(bytes);
  out.writeUIntBE(value, 0, bytes);
  return out;
};

/** `counts`: false for one that is synchronised, and always says 0. */
export function softPasskey(site: { readonly origin: string; readonly counts?: boolean }): SoftPasskey {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
  // { 1: 2 (EC2), 3: -7 (ES256), -1: 1 (P-256), -2: x, -3: y }
  const cose = Buffer.concat([
    Buffer.from([0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20]),
    Buffer.from(x, 'base64url'),
    Buffer.from([0x22, 0x58, 0x20]),
    Buffer.from(y, 'base64url'),
  ]);
  const id = randomBytes(32);
  let counter = 0;
  const hostOf = (wrong: Wrong): string => wrong.rpId ?? new URL(site.origin).hostname;
  const client = (type: string, challenge: string, wrong: Wrong): Buffer => {
    const { topOrigin, crossOrigin = false } = wrong;
    const said = { type: wrong.type ?? type, challenge: wrong.challenge ?? challenge, origin: wrong.origin ?? site.origin, crossOrigin };
    return Buffer.from(JSON.stringify({ ...said, ...(topOrigin !== undefined && { topOrigin }) }));
  };
  const head = (flags: number, count: number, wrong: Wrong): Buffer =>
    Buffer.concat([sha256(hostOf(wrong)), Buffer.from([wrong.flags ?? flags]), uint(wrong.counter ?? count, 4)]);
  return {
    id: b64(id),
    publicKey: b64(cose),
    register(challenge, wrong = {}) {
      const data = Buffer.concat([
        head(UP | UV | ATTESTED, counter, wrong.flags === undefined ? wrong : { ...wrong, flags: wrong.flags | ATTESTED }),
        Buffer.alloc(16),
        uint(id.length, 2),
        id,
        cose,
      ]);
      // { "fmt": "none", "attStmt": {}, "authData": bytes }
      const text = (value: string): Buffer => Buffer.concat([Buffer.from([0x60 + value.length]), Buffer.from(value)]);
      const attestation = Buffer.concat([
        Buffer.from([0xa3]),
        text('fmt'),
        text('none'),
        text('attStmt'),
        Buffer.from([0xa0]),
        text('authData'),
        Buffer.from([0x58, data.length]),
        data,
      ]);
      const response = {
        clientDataJSON: b64(client('webauthn.create', challenge, wrong)),
        attestationObject: b64(attestation),
        transports: ['internal'],
      };
      return { id: b64(id), rawId: b64(id), type: 'public-key', clientExtensionResults: {}, response };
    },
    sign(challenge, wrong = {}) {
      if (site.counts !== false) counter++;
      const data = head(UP | UV, counter, wrong);
      const said = client('webauthn.get', challenge, wrong);
      const signature = createSign('sha256')
        .update(Buffer.concat([data, sha256(said)]))
        .sign(wrong.forged ? other : privateKey);
      const named = wrong.id ?? b64(id);
      const response = { authenticatorData: b64(data), clientDataJSON: b64(said), signature: b64(signature) };
      return { id: named, rawId: named, type: 'public-key', clientExtensionResults: {}, response };
    },
  };
}
