import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Sources, violations } from './support/house.ts';

const root = new URL('../src/', import.meta.url).pathname;
const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
const house: Sources = new Map(files.map((file) => [file, readFileSync(join(root, file), 'utf8')]));

test('the house obeys its law', () => {
  assert.ok(house.size > 50);
  assert.deepEqual(violations(house), []);
});

test('the top level is what was agreed', () => {
  const agreed = new Set([
    'src',
    'policies',
    'scripts',
    'test',
    'docker',
    'package.json',
    'package-lock.json',
    'README.md',
    'LICENSE',
    'SECURITY.md',
  ]);
  const tool = /^(\..*|tsconfig.*\.json|biome\.json|node_modules|dist|data)$/;
  const found = readdirSync(join(root, '..')).filter((name) => !agreed.has(name) && !tool.test(name) && !name.endsWith('.tgz'));
  assert.deepEqual(found, []);
});

test('broker.ts fits a screen', () => {
  assert.ok((house.get('broker.ts') ?? '').split('\n').length <= 90);
});

test('every room says what it owns and what it may not know', () => {
  for (const room of [
    'authenticate/authenticate',
    'decide/decide',
    'approve/approve',
    'mint/minter',
    'record/record',
    'bundle/bundle',
    'keys/signer',
    'store/store',
    'http/server',
    'console/console',
  ]) {
    const first = (house.get(`${room}.ts`) ?? '').split('\n')[0] ?? '';
    assert.match(first, /^\/\*\* .*may not know/, room);
  }
});

const line = (text: string): string => `${text}\n`;
/** Each violation planted by itself: file, what is added to it, what must be said. */
const PLANTED: readonly (readonly [string, string, RegExp])[] = [
  ['decide/decide.ts', line("import '../mint/grant.ts';"), /decide\/decide\.ts: may not import mint\/grant\.ts/],
  ['mint/grant.ts', line("import '../authenticate/authenticate.ts';"), /may not import authenticate/],
  ['record/record.ts', line("import '../broker.ts';"), /may not import broker\.ts/],
  ['broker.ts', line("import './store/store-sqlite.ts';"), /back end store\/store-sqlite\.ts is for app\.ts alone/],
  ['settle.ts', line("import './mint/minter-jwt.ts';"), /back end mint\/minter-jwt\.ts/],
  ['store/store.ts', line("import type { Agent } from '../model.ts';"), /store\/store\.ts: may not import model\.ts/],
  ['verify/verify.ts', line("import '../agent/agent.ts';"), /verify\/verify\.ts: may not import agent/],
  ['agent/agent.ts', line("import '../model.ts';"), /agent\/agent\.ts: may not import model\.ts/],
  ['verify/verify.ts', line("import { z } from 'zod';"), /vendor package zod/],
  ['authenticate/authenticate.ts', line("import { fastify } from 'fastify';"), /vendor package fastify/],
  ['console/browser/api.ts', line("import '../../wire/jws.ts';"), /console\/browser\/api\.ts: may not import wire\/jws\.ts/],
  ['wire/jws.ts', line("import Ajv from 'ajv';"), /vendor package ajv/],
  ['broker.ts', line("const lazy = import('ioredis');"), /vendor package ioredis/],
  ['wire/result.ts', line('export const x: any = 1;'), /wire\/result\.ts: any/],
  ['wire/result.ts', line('export default 1;'), /default export/],
  ['wire/result.ts', line('export default function f() {}'), /default export/],
  ['wire/result.ts', line('// x').repeat(300), /30\d lines/],
  ['decide/decide.ts', line('const t = Date.now();'), /Date\.now is the World's/],
  ['mint/grant.ts', line('const t = new Date();'), /new Date\(\) is the World's/],
  ['record/record.ts', line('const r = Math.random();'), /Math\.random is the World's/],
  ['http/token.ts', line("const e = process.env['X'];"), /process\.env is read in main\.ts/],
  ['wire/result.ts', line("import './json.ts';"), /cycle: .*wire\/result\.ts/],
  ['utils/x.ts', line('export const x = 1;'), /utils: no folder of this name/],
  ['app.ts', line("import '../scripts/demo.ts';"), /imports from outside src/],
  ['wire/result.ts', line('// @ts-ignore'), /escapes a checker/],
];
for (const [file, text, said] of PLANTED) {
  test(`planted in ${file}: ${text.trim().slice(0, 60)}`, () => {
    const before = violations(house);
    const after = violations(new Map([...house, [file, (house.get(file) ?? '') + text]])).filter((v) => !before.includes(v));
    assert.ok(
      after.some((v) => said.test(v)),
      `not caught: ${JSON.stringify(after)}`,
    );
  });
}
