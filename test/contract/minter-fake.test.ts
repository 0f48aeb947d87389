import type { Job } from '../../src/model.ts';
import { fakeMinter } from '../support/fake/minter-fake.ts';
import { fakeBackend } from '../support/fake-backend.ts';
import { testWorld } from '../support/test-world.ts';
import { type MinterMade, minterContract } from './minter.ts';

const resource = 'https://mcp.shop.example/mcp';
const job: Job = {
  kind: 'fake',
  server: { id: 'shop', resource },
  call: { resource, tool: 'create_refund', digest: 'sha-256:RBNvo1WzZ4oRRq0W9-hknpT7T8If536DEMBg9hyq_4o' },
  registration: { kind: 'fake', deliver: 'tool-server', where: 'fake/refunds', cap: 5, settings: { role: 'refunds' } },
  subject: 'people:u_alice',
  actors: ['refund-bot'],
};
const { call: _, ...noCall } = job;
const { registration: __, ...noRegistration } = job;

async function make(): Promise<MinterMade> {
  const { now } = testWorld();
  const backEnd = await fakeBackend({ now });
  return {
    minter: fakeMinter({ address: backEnd.address, listing: false }),
    job,
    refused: {
      'no registration': [noRegistration, 'mint_refused'],
      'no action': [noCall, 'mint_refused'],
      'what it has no place for': [{ ...job, material: { csr: 'x' } }, 'request_malformed'],
    },
    now,
    calls: () => backEnd.calls.length,
    works: async ({ token }) => backEnd.works(JSON.parse(Buffer.from(token, 'base64url').toString()) as object),
    hang: (hangs) => {
      backEnd.mood = hangs ? 'hangs' : 'good';
    },
    close: async () => backEnd[Symbol.asyncDispose](),
  };
}
minterContract('a fake', make);
