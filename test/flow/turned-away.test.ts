/** What no endpoint reads: turned away with one constant text, counted, and no entry. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import type { JsonObject } from '../../src/wire/json.ts';
import { type Answer, answerOf, type Rig, startRig } from '../support/rig.ts';
import { get } from './front-door.ts';

let rig: Rig;
before(async () => {
  rig = await startRig();
});
after(() => rig.stop());

describe('whatever else is asked', () => {
  const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
  const send = async (method: string, path: string, headers: Record<string, string> = {}, body?: string): Promise<Answer> =>
    answerOf(await fetch(`${rig.issuer}${path}`, { method, headers, ...(body !== undefined && { body }) }));
  const plain = (error_description: string, error = 'invalid_request'): JsonObject => ({ error, error_description });
  const NOT_FOUND = plain('There is nothing here.', 'not_found');
  const METHOD = plain('This endpoint has another method; see the Allow header.');
  const cases: readonly (readonly [string, () => Promise<Answer>, number, JsonObject, string | null])[] = [
    ['a path nobody has', () => send('GET', '/cnry?cnry=1'), 404, NOT_FOUND, null],
    ['a path nobody has, posted to', () => send('POST', '/admin/cnry', FORM, 'cnry'), 404, NOT_FOUND, null],
    ['a slash more', () => send('GET', '/jwks/'), 404, NOT_FOUND, null],
    ['another case', () => send('GET', '/JWKS'), 404, NOT_FOUND, null],
    ['the operator’s own', () => send('GET', '/operator/keys'), 404, NOT_FOUND, null],
    [
      'the operator’s steps',
      () => send('POST', '/operator/keys/publish', { 'content-type': 'application/json' }, '{}'),
      404,
      NOT_FOUND,
      null,
    ],
    ['a prototype', () => send('GET', '/__proto__'), 404, NOT_FOUND, null],
    ['GET of a POST', () => send('GET', '/token?grant_type=cnry'), 405, METHOD, 'POST'],
    ['PUT of a POST', () => send('PUT', '/token', FORM, 'cnry'), 405, METHOD, 'POST'],
    ['POST of a GET', () => send('POST', '/jwks', FORM, 'cnry'), 405, METHOD, 'GET, HEAD'],
    ['OPTIONS', () => send('OPTIONS', '/token'), 405, METHOD, 'POST'],
    [
      'JSON where a form is read',
      () => send('POST', '/token', { 'content-type': 'application/json' }, '{"cnry":1}'),
      415,
      plain('This endpoint reads application/x-www-form-urlencoded.'),
      null,
    ],
    [
      'a form where a receipt is read',
      () => send('POST', '/receipts', FORM, 'cnry'),
      415,
      plain('This endpoint reads application/jwt.'),
      null,
    ],
    [
      'a type nobody reads',
      () => send('POST', '/introspect', { 'content-type': 'text/cnry' }, 'x'),
      415,
      plain('This endpoint reads application/x-www-form-urlencoded.'),
      null,
    ],
    [
      'a compressed body',
      () => send('POST', '/token', { ...FORM, 'content-encoding': 'gzip' }, 'x'),
      415,
      plain('This endpoint reads application/x-www-form-urlencoded.'),
      null,
    ],
    ['a body over the limit', () => send('POST', '/token', FORM, 'c'.repeat(1_048_577)), 413, plain('The body is too large.'), null],
  ];
  const counted = async (status: number): Promise<number> =>
    Number(
      new RegExp(`^countersign_http_refused_total\\{status="${status}"\\} (\\d+)$`, 'm').exec((await get(rig, '/metrics')).text)?.[1] ?? 0,
    );

  for (const [name, ask, status, body, allow] of cases) {
    it(`${name}: ${status}, constant, counted and not recorded`, async () => {
      const [seq, before] = [await rig.count(), await counted(status)];
      const answer = await ask();
      assert.deepEqual([answer.status, answer.body, answer.headers.get('allow')], [status, body, allow]);
      assert.equal(`${answer.text}${JSON.stringify([...answer.headers])}`.includes('cnry'), false);
      assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
      assert.deepEqual([await counted(status), await rig.count()], [before + 1, seq]);
    });
  }

  it('a path that is no path is not repeated either', async () => {
    const answer = await send('GET', '/%zz/cnry');
    assert.deepEqual([answer.status, answer.body], [400, plain('The request could not be read.')]);
    assert.equal(JSON.stringify([...answer.headers]).includes('cnry'), false);
  });

  it('bytes that are no HTTP end in one constant line', async () => {
    const { port } = new URL(rig.issuer);
    const text = await new Promise<string>((resolve, reject) => {
      let said = '';
      const socket = connect(Number(port), '127.0.0.1', () => socket.write('cnry cnry\r\n\r\n'));
      socket.setEncoding('utf8').on('data', (part) => {
        said += part;
      });
      socket.on('close', () => resolve(said)).on('error', reject);
    });
    assert.match(text, /^HTTP\/1\.1 400 /);
    assert.equal(text.includes('cnry'), false);
    assert.equal((await get(rig, '/healthz')).status, 200);
  });
});
