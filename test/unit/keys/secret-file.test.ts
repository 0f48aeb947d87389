import assert from 'node:assert/strict';
import { createSecretKey } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { ConfigError, Unavailable } from '../../../src/errors.ts';
import { extended, openSecret } from '../../../src/keys/secret-file.ts';
import type { Json } from '../../../src/wire/json.ts';

const folder = mkdtempSync(join(tmpdir(), 'countersign-secret-'));
after(() => rmSync(folder, { recursive: true }));
const VALUE = Buffer.alloc(32, 7).toString('base64url');
const OTHER = Buffer.alloc(32, 8).toString('base64url');
let names = 0;
const fresh = (): string => join(folder, `key-${names++}`);
const written = (content: string, mode = 0o600): string => {
  const file = fresh();
  writeFileSync(file, content);
  chmodSync(file, mode);
  return file;
};
const refusal = (run: () => unknown): string => {
  try {
    run();
  } catch (fault) {
    assert.ok(fault instanceof ConfigError);
    return fault.message;
  }
  throw new assert.AssertionError({ message: 'not refused' });
};

test('a key file is made once, 0600, whole, and nothing is left beside it', () => {
  const file = join(fresh(), 'deep', 'key');
  const sealed = openSecret({ file }, { create: true }).seal('a', 1);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(join(file, '..')), ['key']);
  const content = readFileSync(file, 'utf8');
  assert.match(content, /^[A-Za-z0-9_-]{43}\n$/);
  assert.equal(openSecret({ file }, { create: true }).open('a', sealed), 1);
  assert.equal(openSecret({ file }).open('a', sealed), 1);
  assert.equal(openSecret({ value: content }).open('a', sealed), 1);
  assert.equal(readFileSync(file, 'utf8'), content);
});

test('what is not a safe key file is refused, with what to do, and without its path or content', () => {
  const folderName = fresh();
  mkdirSync(folderName, { mode: 0o700 });
  const link = fresh();
  symlinkSync(written(VALUE, 0o644), link);
  const table: readonly (readonly [string, string, RegExp])[] = [
    ['absent', fresh(), /is missing.*backup/],
    ['readable by the group', written(VALUE, 0o640), /other users.*chmod 600/],
    ['readable by the world', written(VALUE, 0o604), /other users.*chmod 600/],
    ['writable by the world', written(VALUE, 0o602), /other users.*chmod 600/],
    ['a link to a readable one', link, /other users.*chmod 600/],
    ['a folder', folderName, /not a regular file/],
    ['empty', written(''), /not 32 bytes/],
    ['short', written(Buffer.alloc(31, 7).toString('base64url')), /not 32 bytes/],
    ['long', written(Buffer.alloc(33, 7).toString('base64url')), /not 32 bytes/],
    ['hex', written('07'.repeat(32)), /not 32 bytes/],
    ['padded', written(`${VALUE}=`), /not 32 bytes/],
    ['another spelling of the last character', written(`${VALUE.slice(0, -1)}d`), /not 32 bytes/],
    ['with a space', written(` ${VALUE}`), /not 32 bytes/],
    ['two lines', written(`${VALUE}\n\n`), /not 32 bytes/],
    ['huge', written(VALUE.repeat(100_000)), /not 32 bytes/],
  ];
  for (const [what, file, expected] of table) {
    const text = refusal(() => openSecret({ file }, { create: what !== 'absent' }));
    assert.match(text, expected, what);
    assert.ok(!text.includes(folder) && !text.includes(VALUE), what);
  }
  assert.match(
    refusal(() => openSecret({ value: 'correct horse' })),
    /not 32 bytes/,
  );
  assert.match(
    refusal(() => openSecret({ file: '/dev/null/key' }, { create: true })),
    /may not read|cannot be created/,
  );
});

test('C2SP vectors of XAES-256-GCM', () => {
  const nonce = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWX');
  const vectors = [
    [1, '', 'ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271'],
    [3, 'c2sp.org/XAES-256-GCM', '986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d'],
  ] as const;
  for (const [byte, name, hex] of vectors) {
    const cipher = extended(createSecretKey(Buffer.alloc(32, byte)));
    assert.equal(cipher.encrypt(nonce, Buffer.from('XAES-256-GCM'), name).toString('hex'), hex);
    assert.equal(cipher.decrypt(nonce, Buffer.from(hex, 'hex'), name)?.toString(), 'XAES-256-GCM');
  }
});

test('what was sealed opens under its own name and key, and no other way', () => {
  const secret = openSecret({ value: VALUE });
  const sealed = secret.seal('approval/a', { amount: 4250, text: 'ü\n' });
  assert.deepEqual(secret.open('approval/a', sealed), { amount: 4250, text: 'ü\n' });
  assert.notEqual(secret.seal('approval/a', 1), secret.seal('approval/a', 1));
  const flipped = (at: number): string => {
    const bytes = Buffer.from(sealed.slice(3), 'base64url');
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    return `s1.${bytes.toString('base64url')}`;
  };
  const last = Buffer.from(sealed.slice(3), 'base64url').length - 1;
  const table: readonly (readonly [string, Json])[] = [
    ['approval/b', sealed],
    ['', sealed],
    ['approval/a', flipped(0)],
    ['approval/a', flipped(23)],
    ['approval/a', flipped(24)],
    ['approval/a', flipped(last)],
    ['approval/a', sealed.slice(0, -1)],
    ['approval/a', `${sealed}=`],
    ['approval/a', `s2${sealed.slice(2)}`],
    ['approval/a', sealed.slice(3)],
    ['approval/a', 's1.'],
    ['approval/a', ''],
    ['approval/a', null],
    ['approval/a', { amount: 4250 }],
    ['approval/a', [sealed]],
  ];
  const seal = (fault: unknown): boolean => fault instanceof Unavailable && fault.what === 'seal';
  for (const [name, value] of table) assert.throws(() => secret.open(name, value), seal);
  assert.throws(() => openSecret({ value: OTHER }).open('approval/a', sealed), seal);
});

test('any value comes back as it was', () => {
  const secret = openSecret({ value: VALUE });
  const value = fc.jsonValue({ stringUnit: 'grapheme' }).map((json) => JSON.parse(JSON.stringify(json)) as Json);
  fc.assert(fc.property(fc.string(), value, (name, json) => assert.deepEqual(secret.open(name, secret.seal(name, json)), json)));
});

test('each purpose has a key of its own', () => {
  const secret = openSecret({ value: VALUE });
  const macs = (['arguments', 'nonce', 'receipt', 'retry'] as const).map((use) => secret.mac(use, 'x'));
  assert.equal(new Set(macs).size, 4);
  for (const mac of macs) assert.match(mac, /^[A-Za-z0-9_-]{43}$/);
  assert.equal(secret.mac('nonce', 'x'), openSecret({ value: VALUE }).mac('nonce', 'x'));
  assert.notEqual(secret.mac('nonce', 'x'), openSecret({ value: OTHER }).mac('nonce', 'x'));
});
