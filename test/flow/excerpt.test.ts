/** What an auditor was given, checked without the store: good as a broker gave it, and each way to change it found and named. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type ExcerptReport, tellExcerpt, verifyExcerptFile } from '../../scripts/verify-excerpt.ts';
import { LedgerUnreadable } from '../../scripts/verify-ledger-words.ts';
import { link } from '../../src/store/chain.ts';
import { canonical } from '../../src/wire/digest.ts';
import type { JsonObject } from '../../src/wire/json.ts';
import { signJws } from '../../src/wire/jws.ts';
import { TYP_EXPORT } from '../../src/wire/oauth.ts';
import { newKey } from '../support/keys.ts';
import { REFUND, type Rig, startRig } from '../support/rig.ts';
import { get, tokenOf } from './front-door.ts';
import { stream } from './streams.ts';

let rig: Rig;
let all: readonly string[];
let some: readonly string[];
let token: string;
let keys: string;
let files = 0;
before(async () => {
  rig = await startRig();
  for (const purpose of ['one', 'two \u2028 \u2029 lines', 'three']) token = tokenOf(await rig.ask({ entry: { purpose } }));
  for (let i = 0; i < 3; i++) await rig.ask({ args: { ...REFUND, amount_minor: 9_000 + i } });
  await rig.ask();
  const taken = async (query: string) => (await stream(join(rig.folder, 'operator.sock'), `/operator/export${query}`, 5_000)).text;
  const lines = (text: string): readonly string[] => text.split('\n').slice(0, -1);
  some = lines(await taken('?outcome=minted'));
  all = lines(await taken(''));
  keys = put((await get(rig, '/jwks')).text);
});
after(() => rig.stop());

function put(text: string): string {
  const path = join(rig.folder, `file-${files++}`);
  writeFileSync(path, text);
  return path;
}
const check = (lines: readonly string[], expectHead?: { readonly seq: number; readonly hash: string }): Promise<ExcerptReport> =>
  verifyExcerptFile(put(lines.map((line) => `${line}\n`).join('')), keys, expectHead ? { expectHead } : {});
type Line = JsonObject & { readonly seq: number; readonly hash: string; readonly previous: string };
const entry = (line: string | undefined): Line => JSON.parse(line ?? '') as Line;
const written = ({ seq, hash, previous, body }: JsonObject): string =>
  `{"seq":${String(seq)},"hash":${JSON.stringify(hash)},"previous":${JSON.stringify(previous)},"body":${canonical(body ?? {})}}`;
const changed = (lines: readonly string[], at: number, change: (line: string) => string): readonly string[] =>
  lines.map((line, i) => (i === at ? change(line) : line));
const edited = (line: string): string => line.replace('"currency":"EUR"', '"currency":"USD"');

describe('an export as it was given', () => {
  it('of everything is proved by hashes from the first entry to the head', async () => {
    const report = await check(all);
    assert.deepEqual([report.ok, report.whole, report.linked], [true, true, report.count]);
    assert.equal(report.count, all.length - 2);
    const { seq, hash } = entry(all.at(-2));
    assert.equal(report.head, `${seq}:${hash}`);
    assert.match(tellExcerpt(report), /^whole {4}from the first entry to that head/m);
    for (const [i, line] of all.slice(1, -1).entries()) assert.equal((await check(all, entry(line))).ok, true, `head ${i}`);
  });
  it('of some says what hashes prove and what the broker’s word does', async () => {
    const report = await check(some);
    assert.deepEqual([report.ok, report.whole, report.count, report.hashed], [true, false, 4, 4]);
    assert.ok(report.linked >= 2 && report.linked < 4, String(report.linked));
    assert.match(
      tellExcerpt(report),
      new RegExp(`where ${4 - report.linked} of these stand, and that all lead to that head, is the broker’s word`),
    );
    assert.deepEqual([report.filter, report.issuer], [{ outcome: 'minted' }, rig.issuer]);
    const head = /^(\d+):(\w+)$/.exec(report.head);
    assert.equal((await check(some, { seq: Number(head?.[1]), hash: String(head?.[2]) })).ok, true, 'the head that was signed');
    assert.match((await check(some, { seq: Number(head?.[1]), hash: '0'.repeat(64) })).bad?.why ?? '', /expected head/);
    assert.match((await check(some, { seq: 1, hash: entry(all[1]).hash })).bad?.why ?? '', /expected head/, 'it was left out');
  });
  it('survives a journey that ends its lines otherwise', async () => {
    const report = await verifyExcerptFile(put(some.map((line) => `${line}\r\n`).join('')), keys, {});
    assert.equal(report.ok, true);
  });
  it('is checked by the command, whose code says what it found', async () => {
    const run = (...args: readonly string[]) =>
      new Promise<readonly [unknown, string]>((resolve) =>
        execFile(process.execPath, ['scripts/verify-ledger.ts', ...args], (fault, out, err) =>
          resolve([fault ? fault.code : 0, out || err]),
        ),
      );
    const [file, other] = [put(`${some.join('\n')}\n`), put(`${changed(some, 2, edited).join('\n')}\n`)];
    const [good, bad, alone] = await Promise.all([
      run('--excerpt', file, '--jwks', keys),
      run('--excerpt', other, '--jwks', keys, '--json'),
      run('--excerpt', file),
    ]);
    assert.equal(good[0], 0, good[1]);
    assert.match(good[1], /^4 entries of the ledger of http/);
    assert.deepEqual([bad[0], (JSON.parse(bad[1]) as ExcerptReport).bad?.seq], [1, entry(some[2]).seq]);
    assert.deepEqual([alone[0], /go together/.test(alone[1])], [2, true]);
  });
});

/** Which export, what is done to it, and what is said: the entry and the reason. */
const HOSTILE: Readonly<
  Record<
    string,
    readonly [of: 'all' | 'some', change: (lines: readonly string[]) => readonly string[], at: number | undefined, why: RegExp]
  >
> = {
  'an entry edited': ['some', (lines) => changed(lines, 2, edited), 2, /hash does not follow/],
  'an entry edited, its hash made anew': [
    'some',
    (lines) =>
      changed(lines, 2, (line) => {
        const one = entry(edited(line));
        return written({ ...one, hash: link(one.previous, canonical(one['body'] ?? {})) });
      }),
    undefined,
    /lines are not those/,
  ],
  'the hash before it hidden': [
    'some',
    (lines) => changed(lines, 2, (line) => written({ ...entry(line), previous: null })),
    undefined,
    /lines are not those/,
  ],
  'its number another': [
    'some',
    (lines) => changed(lines, 4, (line) => written({ ...entry(line), seq: entry(line).seq - 1 })),
    undefined,
    /lines are not those/,
  ],
  'one of some removed': ['some', (lines) => lines.toSpliced(2, 1), undefined, /not as many entries/],
  'one of all removed': ['all', (lines) => lines.toSpliced(4, 1), 4, /entries are missing/],
  'the last one removed': ['all', (lines) => lines.toSpliced(-2, 1), undefined, /not as many entries/],
  'one removed, and the end counted anew': [
    'some',
    (lines) => changed(lines.toSpliced(2, 1), lines.length - 2, (line) => line.replace('"entries":4', '"entries":3')),
    undefined,
    /not as many entries/,
  ],
  'two in another order': ['some', ([head = '', a = '', b = '', ...rest]) => [head, b, a, ...rest], 1, /number does not follow/],
  'one twice': ['some', ([head = '', a = '', ...rest]) => [head, a, a, ...rest], 1, /number does not follow/],
  'one more, from behind the end': [
    'some',
    (lines) => lines.toSpliced(-1, 0, written({ ...entry(lines.at(-2)), seq: 9_999, previous: null })),
    9_999,
    /behind the end/,
  ],
  'another after the same one': [
    'some',
    (lines) => {
      const one = entry(lines[3]);
      const body = { ...(one['body'] as JsonObject), subject: 'people:u_other' };
      return changed(lines, 4, (line) =>
        written({ ...entry(line), previous: one.previous, body, hash: link(one.previous, canonical(body)) }),
      );
    },
    4,
    /follows the same one/,
  ],
  'a line that is none': ['some', (lines) => lines.toSpliced(2, 0, 'nothing'), undefined, /not one of an export/],
  'cut between two lines': ['some', (lines) => lines.slice(0, 3), undefined, /cut off/],
  'cut within a line': ['some', (lines) => [...lines.slice(0, 3), lines[3]?.slice(0, 50) ?? ''], undefined, /cut off/],
  'cut within its end': ['some', (lines) => [...lines.slice(0, -1), lines.at(-1)?.slice(0, 50) ?? ''], undefined, /cut off/],
  'its first line alone': ['some', (lines) => lines.slice(0, 1), undefined, /cut off/],
  'more behind its end': ['some', (lines) => [...lines, lines[1] ?? ''], undefined, /goes on behind/],
  'another thing that was asked': [
    'some',
    (lines) => changed(lines, 0, (line) => line.replace('"minted"', '"refused"')),
    undefined,
    /lines are not those/,
  ],
  'another one who took it': [
    'some',
    (lines) => changed(lines, 0, (line) => line.replace('"by":"local:', '"by":"people:')),
    undefined,
    /lines are not those/,
  ],
  'another head in its first line': [
    'some',
    (lines) => changed(lines, 0, (line) => line.replace(/"head":"\w{64}"/, `"head":"${'a'.repeat(64)}"`)),
    undefined,
    /lines are not those/,
  ],
  'another issuer named': [
    'some',
    (lines) => changed(lines, 0, (line) => line.replace(/"issuer":"[^"]*"/, '"issuer":"https://other.example"')),
    undefined,
    /not this export/,
  ],
  'the end of another export': ['some', (lines) => [...lines.slice(0, -1), all.at(-1) ?? ''], undefined, /not this export/],
  'another issuer’s head': ['some', (lines) => signedAnew(lines, 'other-1'), undefined, /none of these keys/],
  'another issuer’s head under a name of ours': ['some', (lines) => signedAnew(lines, ours().kid), undefined, /signature does not hold/],
  'another signature': [
    'some',
    (lines) => changed(lines, lines.length - 1, (line) => line.replace(/(.{10})"}$/, 'AAAAAAAAAA"}')),
    undefined,
    /signature does not hold|not signed/,
  ],
  'an action token for a signature': [
    'some',
    (lines) => changed(lines, lines.length - 1, (line) => line.replace(/"signed":".*"/, `"signed":"${token}"`)),
    undefined,
    /not signed as/,
  ],
  'no signature': [
    'some',
    (lines) => changed(lines, lines.length - 1, (line) => line.replace(/,"signed":".*"/, '')),
    undefined,
    /not signed as/,
  ],
};
function ours(): { readonly kid: string } {
  const [header = ''] = String(entry(some.at(-1))['signed']).split('.');
  return JSON.parse(Buffer.from(header, 'base64url').toString()) as { kid: string };
}
/** As another broker would sign the very same. */
function signedAnew(lines: readonly string[], kid: string): readonly string[] {
  const end = entry(lines.at(-1));
  const [, payload = ''] = String(end['signed']).split('.');
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as JsonObject;
  const key = newKey().private;
  return [...lines.slice(0, -1), JSON.stringify({ ...end, signed: signJws(key, { alg: 'ES256', typ: TYP_EXPORT, kid }, claims) })];
}

describe('an export that somebody changed', () => {
  for (const [name, [of, change, at, why]] of Object.entries(HOSTILE))
    it(name, async () => {
      const lines = of === 'all' ? all : some;
      const { ok, bad } = await check(change(lines));
      assert.equal(ok, false);
      assert.match(bad?.why ?? '', why);
      if (at !== undefined) assert.equal(bad?.seq, at === 9_999 ? at : entry(lines[at]).seq);
    });
  it('to what is none, or is asked about with keys that are none, is not even read', async () => {
    const good = put(`${some.join('\n')}\n`);
    const secret = put(JSON.stringify({ keys: [newKey().private.export({ format: 'jwk' })] }));
    for (const [file, set] of [
      [put(''), keys],
      [put('{}\n'), keys],
      [put('\u0000\u0001'), keys],
      [keys, keys],
      [join(rig.folder, 'nothing'), keys],
      [good, join(rig.folder, 'nothing')],
      [good, put('[]')],
      [good, secret],
    ] as const)
      await assert.rejects(async () => verifyExcerptFile(file, set, {}), LedgerUnreadable);
    assert.match((await verifyExcerptFile(good, put('{"keys":[]}'), {})).bad?.why ?? '', /none of these keys/);
  });
});
