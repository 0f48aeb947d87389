import { openSecret } from '../../src/keys/secret-file.ts';
import { localSigner } from '../../src/keys/signer-local.ts';
import { jwtMinter } from '../../src/mint/minter-jwt.ts';
import { createKeys } from '../../src/operate/keys.ts';
import { createRecord } from '../../src/record/record.ts';
import { memoryStore } from '../support/memory-store.ts';
import { testWorld } from '../support/test-world.ts';
import { minterContract } from './minter.ts';

minterContract('signed here', async () => {
  const world = testWorld();
  const store = memoryStore({ now: world.now });
  const secret = openSecret({ value: Buffer.alloc(32, 7).toString('base64url') });
  const timing = { maxAgeSeconds: 300, maxTokenSeconds: 600, skewSeconds: 10 };
  const signer = await localSigner({ ring: 'tokens', store, secret, algs: ['ES256'], timing, world });
  const record = createRecord({ store, world, deadlineMs: 5_000, readers: [], onFault: () => undefined });
  await createKeys({ keeper: signer, record, world }).begin();
  return {
    minter: jwtMinter({ signer }),
    job: {
      kind: 'jwt',
      server: { id: 'shop', resource: 'https://mcp.shop.example/mcp' },
      subject: 'people:u_alice',
      actors: ['refund-bot'],
    },
    refused: {},
    now: world.now,
    calls: () => 0,
    close: async () => signer.close(),
  };
});
