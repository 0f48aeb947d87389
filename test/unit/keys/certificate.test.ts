/** The certificate beside a key: read by others than whoever wrote it. */
import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { selfSigned } from '../../../src/keys/certificate.ts';
import { openSecret } from '../../../src/keys/secret-file.ts';
import { localSigner } from '../../../src/keys/signer-local.ts';
import { createKeys } from '../../../src/operate/keys.ts';
import { createRecord } from '../../../src/record/record.ts';
import { memoryStore } from '../../support/memory-store.ts';
import { testWorld } from '../../support/test-world.ts';

test('is of this key, by this key, at any time', () => {
  for (const [modulusLength, name] of [
    [2048, 'k'],
    [4096, '2026-11-21-AAAAAAAAAAAAAAAA'],
    [2048, 'ü'.repeat(64)],
  ] as const) {
    const pair = generateKeyPairSync('rsa', { modulusLength });
    const other = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const serial = randomBytes(15);
    const cert = new X509Certificate(selfSigned(pair, { name, serial }));
    assert.ok(cert.publicKey.equals(pair.publicKey));
    assert.ok(cert.verify(pair.publicKey) && cert.checkIssued(cert));
    assert.equal(cert.verify(other.publicKey), false);
    assert.equal(cert.toLegacyObject().subject['CN'], name);
    assert.deepEqual(
      [cert.validFromDate.toISOString(), cert.validToDate.toISOString(), cert.serialNumber],
      ['1970-01-01T00:00:00.000Z', '9999-12-31T23:59:59.000Z', `01${serial.toString('hex').toUpperCase()}`],
    );
  }
});

test('stands beside RSA keys of logins, and beside no other', async () => {
  const world = testWorld();
  const store = memoryStore({ now: world.now });
  const secret = openSecret({ value: Buffer.alloc(32, 7).toString('base64url') });
  const timing = { maxAgeSeconds: 300, maxTokenSeconds: 60, skewSeconds: 10 };
  const record = createRecord({ store, world, deadlineMs: 5000, readers: [], onFault: () => undefined });
  for (const ring of ['backends', 'tokens'] as const) {
    const signer = await localSigner({ ring, store, secret, algs: ['ES256', 'RS256'], timing, world });
    await createKeys({ keeper: signer, record, world }).begin();
    const { keys } = signer.published().body as { keys: { kid: string; alg: string; n: string; e: string; kty: string; x5c?: string[] }[] };
    const shown = keys.map(({ alg, x5c }) => [alg, x5c?.length]);
    assert.deepEqual(shown, [
      ['ES256', undefined],
      ['RS256', ring === 'backends' ? 1 : undefined],
    ]);
    for (const { kid, kty, n, e, x5c = [] } of keys) {
      for (const text of x5c) {
        const cert = new X509Certificate(Buffer.from(text, 'base64'));
        assert.ok(cert.publicKey.equals(createPublicKey({ key: { kty, n, e }, format: 'jwk' })));
        assert.equal(cert.toLegacyObject().subject['CN'], kid);
      }
    }
    signer.close();
  }
});
