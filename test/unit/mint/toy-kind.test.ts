/** A new kind of credential is one file, one union arm and its lines in `app-backends.ts` (mint/README.md): added so, it is all there. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { writeDemoBundle } from '../../../scripts/demo/bundle.ts';
import type * as App from '../../../src/app-check.ts';
import { parseConfig } from '../../../src/config.ts';
import { ConfigError } from '../../../src/errors.ts';
import type { Job } from '../../../src/model.ts';
import { minterContract } from '../../contract/minter.ts';
import { editBundle } from '../../flow/front-door.ts';
import { toyRig } from '../../flow/redeeming.ts';
import { testWorld } from '../../support/test-world.ts';
import type * as Toy from '../../support/toy/minter-toy.ts';
import { type ToyProgram, toyProgram } from '../../support/toy.ts';

const resource = 'https://mcp.shop.example/mcp';
const job: Job = {
  kind: 'toy',
  server: { id: 'shop', resource },
  call: {
    resource,
    tool: 'create_refund',
    digest: 'sha-256:RBNvo1WzZ4oRRq0W9-hknpT7T8If536DEMBg9hyq_4o',
    arguments: { payment_id: 'pay_8Qx2' },
  },
  registration: { kind: 'toy', deliver: 'tool-server', where: 'toy/refunds', cap: 5, settings: { role: 'refunds', needs: ['payment_id'] } },
  subject: 'people:u_alice',
  actors: ['refund-bot'],
};
const { call: _, ...noCall } = job;

minterContract('a kind of one’s own', async () => {
  const program = await toyProgram();
  const { toyMinter, backEnd } = (await import(pathToFileURL(join(program.folder, 'src/mint/minter-toy.ts')).href)) as typeof Toy;
  return {
    minter: toyMinter({ audience: 'toy', login: async ({ id }) => `login of ${id}` }),
    job,
    refused: {
      'no action': [noCall, 'mint_refused'],
      'no arguments': [{ ...job, call: { resource, tool: 'create_refund', digest: job.call?.digest ?? 'sha-256:' } }, 'arguments_bad'],
    },
    now: testWorld().now,
    calls: () => backEnd.made.length,
    works: async ({ token }) => {
      const { user } = JSON.parse(Buffer.from(token, 'base64url').toString()) as { readonly user: string };
      return backEnd.made.some((account) => account.user === user) && !backEnd.ended.includes(user);
    },
    close: async () => program.remove(),
  };
});

describe('a kind of one’s own', () => {
  let program: ToyProgram;
  before(async () => {
    program = await toyProgram();
  });
  after(() => program?.remove());
  const config = { issuer: 'https://broker.example', policies: 'p', store: { use: 'sqlite', path: 's' }, operator: { socket: 'o' } };
  const withToy = { ...config, keys: { use: 'local', secret: { file: 'k' } }, backends: [{ use: 'toy' }] };

  it('is one file more, and two that have a few lines more', () => {
    const files = (folder: string): readonly string[] =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
    const theirs = files(join(program.folder, 'src'));
    const ours = new Set(files('src'));
    assert.deepEqual(
      theirs.filter((name) => !ours.has(name)),
      ['mint/minter-toy.ts'],
    );
    const lines = (path: string): number => readFileSync(path, 'utf8').split('\n').length;
    const grown = [...ours].map((name) => [name, lines(join(program.folder, 'src', name)) - lines(join('src', name))] as const);
    assert.deepEqual(grown.filter(([, more]) => more !== 0).sort(), [
      ['app-backends.ts', 3],
      ['config.ts', 1],
    ]);
  });
  it('is configured by name, and by those who have it alone', () => {
    const { backends } = program.parseConfig(withToy);
    assert.deepEqual(backends, [{ use: 'toy', audience: 'toy' }]);
    assert.throws(() => parseConfig(withToy), ConfigError);
  });
  const wrong: readonly (readonly [string, string, string])[] = [
    ['a setting that it has not', 'role: refunds,', 'role: refunds, path: x,'],
    ['a role that could be widened', 'role: refunds,', 'role: "refunds/../admin",'],
    ['an argument that its tool has not', 'needs: [payment_id]', 'needs: [payment]'],
    ['a cap of nothing', 'cap: 1000, ttl', 'cap: 0, ttl'],
    ['a life beyond all tokens', 'ttlSeconds: 30', 'ttlSeconds: 301'],
  ];
  for (const [name, from, to] of wrong) {
    it(`does not come into force with ${name}`, async () => {
      const policies = await bundleWith((folder) => editBundle(folder, 'servers/shop.yaml', from, to));
      const { checkApp } = (await import(pathToFileURL(join(program.folder, 'src/app-check.ts')).href)) as typeof App;
      const checking = checkApp(program.parseConfig({ ...withToy, policies }), { world: testWorld(), environment: {} });
      await assert.rejects(checking, (fault: Error) => fault.message.includes('servers/shop.yaml'));
    });
  }
  it('does with a good registration, of which --check says so', async () => {
    const policies = await bundleWith(async () => {});
    const { checkApp } = (await import(pathToFileURL(join(program.folder, 'src/app-check.ts')).href)) as typeof App;
    const said = await checkApp(program.parseConfig({ ...withToy, policies }), { world: testWorld(), environment: {} });
    assert.match(said.join('\n'), /bundle: good/);
  });

  async function bundleWith(change: (folder: string) => Promise<void>): Promise<string> {
    const folder = mkdtempSync(join(program.folder, 'bundle-'));
    await writeDemoBundle({ from: 'policies', to: folder, resource, agentKeys: {}, serverKeys: {} });
    await toyRig(program).bundle?.(folder);
    await change(folder);
    return folder;
  }
});
