/** A start that cannot be: one clear message, the stated exit code, and not a byte on the disk is another than before. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmodSync, cpSync, existsSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { parse } from 'yaml';
import { newFolder, type Process, printOf, type Ran, ready, startMain, writeConfig } from '../flow/broker-process.ts';
import { freePort } from '../support/rig.ts';

const SAMPLE = new URL('../../policies', import.meta.url).pathname;
const folders: string[] = [];
const running: Process[] = [];
let seed: string;
before(async () => {
  seed = room();
  const first = startMain(['-c', writeConfig(seed, await freePort())]);
  await first.says('"kind":"bundle"');
  await ready(seed);
  first.child.kill('SIGTERM');
  assert.equal((await first.ended).code, 0);
  assert.equal(existsSync(join(seed, 'operator.sock')), false, 'no socket is left');
});
after(() => {
  for (const { child } of running) child.kill('SIGKILL');
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A folder with the sample bundle, and nothing that a broker has made. */
function room(): string {
  const folder = newFolder();
  folders.push(folder);
  cpSync(SAMPLE, join(folder, 'policies'), { recursive: true });
  return folder;
}
/** The same, after a broker has run there. */
function used(): string {
  const folder = newFolder();
  folders.push(folder);
  cpSync(seed, folder, { recursive: true });
  return folder;
}
const db = (folder: string): string => join(folder, 'data', 'countersign.db');
const key = (folder: string): string => join(folder, 'key');

/** Refused: code 2, words for people, no stack, and the folder as it was. */
async function refused(folder: string, config: string, says: RegExp, args: readonly string[] = []): Promise<Ran> {
  const before = printOf(folder);
  const started = startMain(['-c', config, ...args]);
  running.push(started);
  const ran = await started.ended;
  assert.match(ran.err, says);
  assert.equal(ran.code, 2, ran.err);
  assert.match(ran.err, /^countersign: /);
  assert.doesNotMatch(ran.err, /\n\s+at |node:internal|Error:/, 'no stack');
  assert.deepEqual(printOf(folder), before, 'nothing changed on the disk');
  return ran;
}

interface Case {
  readonly name: string;
  readonly folder?: () => string;
  readonly damage: (folder: string) => void;
  readonly more?: (folder: string) => object;
  readonly says: RegExp;
}
const put = (folder: string, path: string, from: string, to: string): void => {
  const file = join(folder, path);
  const text = readFileSync(file, 'utf8');
  assert.ok(text.includes(from));
  writeFileSync(
    file,
    text.replace(from, () => to),
  );
};
const replaceKey = (folder: string, by: () => void): void => {
  rmSync(key(folder));
  by();
};
const sql = (folder: string, text: string): void => {
  const open = new DatabaseSync(db(folder));
  open.exec(text);
  open.close();
};
const smash = (folder: string, at: number, bytes: Buffer): void => {
  const content = readFileSync(db(folder));
  bytes.copy(content, at);
  writeFileSync(db(folder), content);
};
const cases: readonly Case[] = [
  {
    name: 'a bundle that is not what its manifest says',
    folder: room,
    damage: (f) => put(f, 'policies/refunds.cedar', '5000', '9999'),
    says: /refunds\.cedar: is not what the manifest says/,
  },
  {
    name: 'the same, where a broker has run',
    damage: (f) => put(f, 'policies/refunds.cedar', '5000', '9999'),
    says: /refunds\.cedar: is not what the manifest says/,
  },
  {
    name: 'no bundle',
    folder: room,
    damage: (f) => rmSync(join(f, 'policies'), { recursive: true }),
    says: /the bundle folder is not there/,
  },
  { name: 'a key file that its group can read', damage: (f) => chmodSync(key(f), 0o640), says: /chmod 600/ },
  { name: 'a key file that anybody can read', damage: (f) => chmodSync(key(f), 0o604), says: /chmod 600/ },
  { name: 'no key file, and a store that was sealed under one', damage: (f) => rmSync(key(f)), says: /key file is missing.*backup/ },
  { name: 'a key file cut short', damage: (f) => truncateSync(key(f), 20), says: /not 32 bytes/ },
  {
    name: 'a key file of another broker',
    damage: (f) => writeFileSync(key(f), randomBytes(32).toString('base64url')),
    says: /does not open the signing keys/,
  },
  {
    name: 'a key file that leads in a circle',
    damage: (f) => replaceKey(f, () => symlinkSync(key(f), key(f))),
    says: /may not read the key file/,
  },
  {
    name: 'a folder in place of the key file',
    damage: (f) => replaceKey(f, () => cpSync(join(f, 'policies'), key(f), { recursive: true })),
    says: /not a regular file/,
  },
  { name: 'a database without its head', damage: (f) => smash(f, 0, Buffer.alloc(100)), says: /the store is damaged.*\n.*Restore a copy/ },
  { name: 'a database with a hole', damage: (f) => smash(f, 4096, randomBytes(8192)), says: /the store is damaged/ },
  {
    name: 'a text in place of the database',
    damage: (f) => writeFileSync(db(f), 'once upon a time\n'.repeat(99)),
    says: /the store is damaged, or not a store of this program/,
  },
  { name: 'a database of another program', damage: (f) => sql(f, 'PRAGMA application_id = 7'), says: /not a store of this program/ },
  {
    name: 'a database of a newer version',
    damage: (f) => sql(f, 'PRAGMA user_version = 99'),
    says: /newer version of this program.*\n.*Run that version/,
  },
  {
    name: 'a file in place of the socket',
    damage: (f) => writeFileSync(join(f, 'operator.sock'), 'mine'),
    says: /operator\.socket: a file that is no socket stands there/,
  },
  {
    name: 'the database in place of the socket',
    damage: () => {},
    more: (f) => ({ operator: { socket: db(f) } }),
    says: /a file that is no socket stands there/,
  },
  {
    name: 'a socket whose path is too long',
    folder: room,
    damage: () => {},
    more: (f) => ({ operator: { socket: join(f, 'x'.repeat(120)) } }),
    says: /longer than a Unix socket/,
  },
  {
    name: 'an address of another machine',
    folder: room,
    damage: () => {},
    more: () => ({ listen: { host: '192.0.2.1', port: 8080 } }),
    says: /listen: this machine has no such address/,
  },
  {
    name: 'a secret that the environment does not have',
    folder: room,
    damage: () => {},
    more: () => ({ keys: { use: 'local', secret: { env: 'NO_SUCH_SECRET' } } }),
    says: /keys\.secret: the environment has no variable of this name/,
  },
];

describe('does not start, and changes nothing', { concurrency: 2 }, () => {
  for (const { name, folder: make = used, damage, more, says } of cases) {
    // A broker that starts after all would run for ever.
    it(name, { timeout: 30_000 }, async () => {
      const folder = make();
      const config = writeConfig(folder, await freePort(), more?.(folder));
      damage(folder);
      await refused(folder, config, says);
    });
  }

  it('on an address that is in use, whether or not a broker has run there', { timeout: 30_000 }, async () => {
    const taken: Server = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as { port: number };
    try {
      for (const folder of [room(), used()]) await refused(folder, writeConfig(folder, port), /listen: the address is in use/);
    } finally {
      taken.close();
    }
  });

  it('beside a broker that holds the store, which goes on', { timeout: 30_000 }, async () => {
    const folder = used();
    const port = await freePort();
    const config = writeConfig(folder, port);
    const first = startMain(['-c', config]);
    running.push(first);
    await ready(folder);
    await refused(folder, config, /another broker answers there[\s\S]*|the address is in use/);
    const other = writeConfig(folder, await freePort(), { operator: { socket: join(folder, 'other.sock') } });
    await refused(folder, other, /another broker has this store open\n.*Stop the other broker/);
    assert.equal((await fetch(`http://127.0.0.1:${port}/readyz`)).status, 200);
    first.child.kill('SIGTERM');
    assert.equal((await first.ended).code, 0);
  });
});

describe('a configuration', () => {
  it('is told everything that is wrong with it at once, by path and never by value', async () => {
    const folder = room();
    const config = writeConfig(folder, 8080, {
      issuer: 'http://broker.example/',
      listen: { port: 70_000 },
      keys: { use: 'local', secret: 'cnry-secret', maxAgeSeconds: 5 },
      issuers: [{ use: 'oidc', id: 'People!', issuer: 'ftp://cnry.example', vouches: [] }],
      metrics: 'cnry-everybody',
      deadlineMs: 'soon',
      verbose: 'cnry',
    });
    const { err } = await refused(folder, config, /^countersign: configuration refused\n/);
    for (const path of [
      'issuer',
      'listen.port',
      'keys.secret',
      'keys.maxAgeSeconds',
      'issuers.0.id',
      'issuers.0.issuer',
      'issuers.0.vouches',
      'metrics',
      'deadlineMs',
      'verbose',
    ])
      assert.match(err, new RegExp(`^  ${path.replaceAll('.', '\\.')}: `, 'm'), path);
    assert.equal(err.includes('cnry'), false);
  });

  it('that is not there, or is no YAML, or says a thing twice', async () => {
    const folder = room();
    await refused(folder, join(folder, 'none.yaml'), /configuration file cannot be read/);
    for (const text of ['issuer: [', 'issuer: http://127.0.0.1:1\nissuer: http://127.0.0.1:2\n']) {
      writeFileSync(join(folder, 'bad.yaml'), text);
      await refused(folder, join(folder, 'bad.yaml'), /configuration file is not YAML/);
    }
  });

  it('with an option nobody knows ends with 3, and help with 0', async () => {
    const [odd, help] = await Promise.all([startMain(['--explode']).ended, startMain(['--help']).ended]);
    assert.deepEqual([odd.code, help.code], [3, 0]);
    assert.match(odd.err, /unknown option '--explode'/);
    assert.match(help.out, /--config[\s\S]*--check[\s\S]*--schema/);
  });
});

describe('--check', () => {
  it('says that all is well and writes nothing, beside a running broker or before the first', async () => {
    const folder = room();
    const config = writeConfig(folder, await freePort());
    const before = printOf(folder);
    const ran = await startMain(['-c', config, '--check']).ended;
    assert.deepEqual([ran.code, ran.err], [0, '']);
    assert.match(ran.out, /^configuration: good\nbundle: good — 3 agents, 1 servers, \d+ policies, [0-9a-f]{64}$/m);
    assert.deepEqual(printOf(folder), before);
  });

  it('tells every problem of the bundle with file and line, as the start would', async () => {
    const folder = room();
    const config = writeConfig(folder, await freePort());
    put(folder, 'policies/refunds.cedar', '5000', '9999');
    await refused(folder, config, /refunds\.cedar/, ['--check']);
  });
});

describe('--schema', () => {
  it('is a JSON Schema for editors: it takes what the start takes', async () => {
    const folder = room();
    const config = parse(readFileSync(writeConfig(folder, 8080), 'utf8')) as object;
    const ran = await startMain(['--schema']).ended;
    assert.deepEqual([ran.code, ran.err], [0, '']);
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    const holds = ajv.compile(JSON.parse(ran.out) as object);
    assert.equal(holds(config), true, JSON.stringify(holds.errors));
    for (const change of [{ verbose: true }, { listen: { port: 'x' } }, { issuer: undefined }, { store: { use: 'tape' } }]) {
      assert.equal(holds(JSON.parse(JSON.stringify({ ...config, ...change }))), false, JSON.stringify(change));
    }
  });
});
