/** Redis behind TLS: its certificate is checked, and who is not vouched for is not spoken to. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { StoreRefused } from '../../src/store/store.ts';
import { redisStore } from '../../src/store/store-redis.ts';
import { output, servicePort } from './program.ts';
import { skipUnless } from './provision.ts';
import { type Redis, startRedis } from './redis.ts';
import { closeAll, commit, openAt, put } from './redis-room.ts';

suite('Redis behind TLS', { skip: await skipUnless('redis', 'openssl') }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-'));
  const inside = (name: string): string => join(folder, name);
  let redis: Redis;
  let url = '';
  before(async () => {
    const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost'];
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', inside('key.pem')];
    await output('openssl', ['req', '-x509', '-days', '1', ...key, ...names, '-out', inside('cert.pem')]);
    const port = await servicePort();
    const files = [`tls-cert-file ${inside('cert.pem')}`, `tls-key-file ${inside('key.pem')}`, 'tls-auth-clients no'];
    redis = await startRedis({ appendfsync: 'always', config: [`tls-port ${port}`, ...files] });
    url = `rediss://127.0.0.1:${port}`;
  });
  after(async () => {
    await closeAll();
    await redis.stop();
    rmSync(folder, { recursive: true });
  });

  test('is used where its certificate is vouched for', async () => {
    const ca = readFileSync(inside('cert.pem'), 'utf8');
    const store = await openAt({ place: { url }, password: redis.password, tls: { ca } });
    assert.equal(await commit(store, [put('k', 0, 1)], { k: 1 }), undefined);
  });
  test('is refused where nobody vouches for it', async () => {
    await assert.rejects(
      redisStore({ place: { url }, password: redis.password }),
      (fault) => fault instanceof StoreRefused && fault.code === 'unreadable',
    );
  });
});
