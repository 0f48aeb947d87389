/** The operator API as it is told: every route of both addresses, who may ask, and what is answered; nothing is told that is not there. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { OPERATOR_ROUTES } from '../../src/http/documents-operator.ts';
import type { JsonObject } from '../../src/wire/json.ts';
import { documentedClient } from '../support/documented.ts';
import { type Rig, startRig } from '../support/rig.ts';
import { get } from './front-door.ts';

interface Operation {
  readonly summary?: string;
  readonly description?: string;
  readonly 'x-roles'?: readonly string[];
  readonly tags?: readonly string[];
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: object }>> };
  readonly responses: Readonly<
    Record<string, { readonly description?: string; readonly content?: Readonly<Record<string, { readonly schema: object }>> }>
  >;
}
type Told = ReadonlyMap<string, Operation>;
/** Of the local socket alone: they hand something out, or speak for somebody. */
const LOCAL = ['POST /operator/backends/mint', 'POST /operator/passkeys/reset', 'POST /operator/tickets', 'GET /openapi.json'];
const OWN = [
  'GET /operator/passkeys',
  'POST /operator/passkeys',
  'POST /operator/passkeys/challenge',
  'POST /operator/passkeys/options',
  'POST /operator/passkeys/:id/remove',
];
const METRICS = ['GET /operator/metrics', 'GET /metrics'];

let rig: Rig;
let page: Told;
let socket: Told;
before(async () => {
  // Browsers know passkeys of names alone.
  rig = await startRig({ host: 'localhost', console: {} });
  page = operations((await get(rig, '/openapi.json')).body, (path) => path.startsWith('/operator'));
  const answer = await documentedClient(join(rig.folder, 'operator.sock'))('GET', '/openapi.json');
  assert.equal(answer.status, 200);
  const document = answer.body as JsonObject;
  assert.deepEqual([document['openapi'], document['servers']], ['3.1.0', [{ url: '/' }]]);
  socket = operations(document, () => true);
});
after(() => rig.stop());

function operations({ paths }: JsonObject, which: (path: string) => boolean): Told {
  const all = Object.entries(paths as unknown as Record<string, Record<string, Operation>>).filter(([path]) => which(path));
  return new Map(
    all.flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, one]) => [`${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`, one] as const),
    ),
  );
}

describe('the operator API', () => {
  it('is told whole: on the page’s address, on the socket, and nothing more', () => {
    const names = Object.keys(OPERATOR_ROUTES);
    const of = (told: Told): readonly string[] => [...told.keys()].filter((name) => !METRICS.includes(name)).toSorted();
    assert.deepEqual(of(page), names.filter((name) => !LOCAL.includes(name)).toSorted());
    assert.deepEqual(of(socket), names.filter((name) => !OWN.includes(name)).toSorted());
  });
  it('says of each route what it is, who may ask, what it reads and what it answers', () => {
    const ajv = new Ajv2020({ strict: false });
    for (const [name, one] of [...page, ...socket]) {
      if (METRICS.includes(name)) continue;
      const { summary, description, parameters = [], requestBody, responses, 'x-roles': roles = [] } = one;
      assert.match(summary ?? '', /^[A-Z`’].{10,}[^.]$/, name);
      assert.match(description ?? '', /(Roles: \w+(, \w+)*|Whoever has logged in, about themselves)\.$/, name);
      assert.ok(roles.length > 0 && one.tags?.includes('operator'), name);
      for (const [, placeholder = ''] of name.matchAll(/:(\w+)/g))
        assert.ok(
          parameters.some((p) => p.in === 'path' && p.name === placeholder),
          name,
        );
      assert.equal(requestBody !== undefined, name.startsWith('POST '), name);
      for (const code of [200, 401, 403, 503]) assert.ok(responses[code]?.description && responses[code].content, `${name} ${code}`);
      const schemas = [requestBody, ...Object.values(responses)].flatMap((part) => Object.values(part?.content ?? {}));
      for (const { schema } of schemas) assert.ok(ajv.validateSchema(schema), `${name}: ${ajv.errorsText()}`);
    }
  });
  it('reads each name that it tells, and no other', async () => {
    const ask = documentedClient(join(rig.folder, 'operator.sock'));
    const VALUES: Readonly<Record<string, string>> = {
      limit: '1',
      days: '9',
      minutes: '5',
      state: 'pending',
      first: 'oldest',
      ring: 'tokens',
      before: '9',
      from: '1',
      to: '2',
    };
    const always = (path: string): string =>
      path.endsWith('/confirmations') ? 'as=people:u_bob' : path.endsWith('/usage') ? 'agent=refund-bot' : '';
    for (const [name, { parameters = [] }] of socket) {
      const names = parameters.filter((one) => one.in === 'query').map((one) => one.name);
      // One answers for ever, the other in lines: search.test.ts and live.test.ts ask them.
      if (names.length === 0 || /live|export/.test(name)) continue;
      const path = name.replace('GET ', '').replace(':id', 'refund-bot');
      const other = /approvals|confirmations/.test(name) ? `apr_${'0'.repeat(32)}` : 'MA';
      for (const one of names) {
        const query = new URLSearchParams(always(path));
        query.set(one, query.get(one) ?? VALUES[one] ?? other);
        const { status, body } = await ask('GET', `${path}?${query}`);
        assert.equal(status, 200, `${name} ${one}: ${JSON.stringify(body)}`);
      }
      assert.equal((await ask('GET', `${path}?${always(path)}&nonsense=1`)).status, 400, name);
    }
  });
  it('says the same of a route wherever it stands', () => {
    for (const [name, one] of page) if (socket.has(name)) assert.deepEqual(one, socket.get(name), name);
  });
});
