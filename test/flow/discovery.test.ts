/** What anyone may ask: documents, keys, health, metrics; and how whatever else is asked is turned away. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { pino } from 'pino';
import { createApp } from '../../src/app.ts';
import { parseConfig } from '../../src/config.ts';
import type { JsonObject } from '../../src/wire/json.ts';
import { createWorld } from '../../src/world.ts';
import { answerOf, DETAILS, REFUND, RESOURCE, type Rig, startRig } from '../support/rig.ts';
import { aheadWorld, get } from './front-door.ts';

let rig: Rig;
before(async () => {
  rig = await startRig();
});
after(() => rig.stop());

describe('documents', () => {
  it('the metadata is of this issuer, to the letter, and names nothing that does not answer', async () => {
    const { status, headers, body } = await get(rig, '/.well-known/oauth-authorization-server');
    assert.deepEqual([status, body['issuer'], headers.get('cache-control')], [200, rig.issuer, 'public, max-age=300']);
    // Without these two stock MCP SDKs reject the document.
    assert.deepEqual([body['authorization_endpoint'], body['response_types_supported']], [`${rig.issuer}/authorize`, []]);
    assert.deepEqual(body['grant_types_supported'], [
      'urn:ietf:params:oauth:grant-type:token-exchange',
      'client_credentials',
      'urn:ietf:params:oauth:grant-type:deferred',
    ]);
    assert.deepEqual(
      [body['token_endpoint_auth_methods_supported'], body['dpop_signing_alg_values_supported'], body['scopes_supported']],
      [['private_key_jwt'], ['ES256'], ['tool:list']],
    );
    assert.deepEqual(body['authorization_details_types_supported'], [DETAILS]);
    for (const [name, value] of Object.entries(body)) {
      if (!name.endsWith('_endpoint') && name !== 'jwks_uri' && name !== 'countersign_details_schema') continue;
      const path = String(value).slice(rig.issuer.length);
      const answers = [await answerOf(await fetch(`${rig.issuer}${path}`, { method: 'POST' })), await get(rig, path)];
      assert.ok(
        answers.some((answer) => ![404, 405].includes(answer.status)),
        name,
      );
    }
  });

  it('of an issuer with a path it lies where RFC 8414 §3.1 says', async () => {
    const issuer = 'https://broker.example/tenants/one';
    const folder = mkdtempSync(join(tmpdir(), 'countersign-'));
    const config = parseConfig({
      issuer,
      listen: { port: 0 },
      policies: join(rig.folder, 'policies'),
      store: { use: 'sqlite', path: join(folder, 'countersign.db') },
      keys: { use: 'local', secret: { file: join(folder, 'key') } },
      operator: { socket: join(folder, 'operator.sock') },
    });
    // Asked from inside: nothing here answers under that name.
    const app = await createApp(config, { world: createWorld(), log: pino({ level: 'silent' }), environment: {} });
    try {
      const answer = await app.server.inject('/.well-known/oauth-authorization-server/tenants/one');
      assert.deepEqual([answer.statusCode, (answer.json() as JsonObject)['issuer']], [200, issuer]);
      assert.equal((await app.server.inject('/.well-known/oauth-authorization-server')).statusCode, 404);
    } finally {
      await app.close();
      rmSync(folder, { recursive: true });
    }
  });

  it('there is no authorization code here, and the one who asks is told so without being sent anywhere', async () => {
    const answer = await get(rig, '/authorize?response_type=code&redirect_uri=https://evil.example/&state=cnry');
    assert.deepEqual([answer.status, answer.body['error'], answer.headers.get('location')], [400, 'unsupported_response_type', null]);
    assert.equal(answer.text.includes('cnry') || answer.text.includes('evil'), false);
  });

  it('/rar is a JSON Schema that takes the action of wire.md §3 and none of its look-alikes', async () => {
    const { body, headers } = await get(rig, '/rar');
    assert.match(headers.get('cache-control') ?? '', /max-age=/);
    const ajv = new Ajv2020({ strict: true, formats: { uri: true } });
    const holds = ajv.compile(body[DETAILS] as JsonObject);
    const action = { type: DETAILS, locations: [RESOURCE], actions: ['tools/call'], identifier: 'create_refund' };
    const digest = `sha-256:${'A'.repeat(43)}`;
    for (const more of [
      {},
      { arguments: REFUND },
      { arguments_digest: digest },
      { purpose: 'x', context: { session: 's', trace: 't', model: 'm' } },
    ])
      assert.equal(holds({ ...action, ...more }), true);
    const no: readonly object[] = [
      { type: 'other' },
      { locations: [] },
      { locations: [RESOURCE, RESOURCE] },
      { actions: ['tools/list'] },
      { identifier: 'a b' },
      { arguments: [] },
      { arguments_digest: 'md5:x' },
      { privileges: [] },
      { context: { user: 'root' } },
      { purpose: 'x'.repeat(1001) },
    ];
    for (const change of no) assert.equal(holds({ ...action, ...change }), false, JSON.stringify(change));
  });
});

describe('/jwks', () => {
  it('has a strong ETag, answers 304 to it, and may be kept as long as the overlap allows', async () => {
    const { status, headers, body } = await get(rig, '/jwks');
    const etag = headers.get('etag') ?? '';
    assert.deepEqual(
      [status, headers.get('content-type'), headers.get('cache-control')],
      [200, 'application/jwk-set+json; charset=utf-8', 'public, max-age=300'],
    );
    assert.match(etag, /^"[A-Za-z0-9_-]{43}"$/);
    assert.equal((body['keys'] as readonly unknown[]).length, 2);
    for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const again = await get(rig, '/jwks', { 'if-none-match': known });
      assert.deepEqual(
        [again.status, again.text, again.headers.get('etag'), again.headers.get('cache-control')],
        [304, '', etag, 'public, max-age=300'],
      );
    }
    for (const other of ['"other"', etag.slice(1, -1), `x${etag}`])
      assert.equal((await get(rig, '/jwks', { 'if-none-match': other })).status, 200);
  });
});

describe('health', () => {
  it('/healthz says that the process runs, /readyz what it could grant with', async () => {
    assert.deepEqual((await get(rig, '/healthz')).body, { status: 'ok' });
    const { status, body, headers } = await get(rig, '/readyz');
    assert.deepEqual([status, body['status'], headers.get('cache-control')], [200, 'ready', 'no-store']);
    const checks = body['checks'] as readonly JsonObject[];
    for (const name of ['clock', 'store', 'keys', 'policy', 'bundle'])
      assert.equal(checks.find((check) => check['name'] === name)?.['state'], 'ok', name);
  });

  it('is down with 503, and names the part, while nothing could be granted', async () => {
    const world = aheadWorld();
    const other = await startRig({ world });
    try {
      world.jump(60);
      const down = await get(other, '/readyz');
      assert.deepEqual([down.status, down.body['status']], [503, 'down']);
      assert.deepEqual((down.body['checks'] as readonly JsonObject[])[0], { name: 'clock', state: 'down' });
      assert.equal((await get(other, '/healthz')).status, 200);
      world.jump(-60);
      assert.equal((await get(other, '/readyz')).status, 200);
    } finally {
      await other.stop();
    }
  });
});

/** One sample of the exposition format: name, labels, value. */
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
describe('/metrics', () => {
  it('counts what happened, and its labels are a closed set of our own words', async () => {
    await rig.ask();
    await rig.ask({ args: { ...REFUND, amount_minor: 9000 } });
    await rig.ask({ entry: { identifier: 'cnry_tool' }, subject: { claims: { sub: 'cnry_sub' } } });
    const { status, headers, text } = await get(rig, '/metrics');
    assert.equal(status, 200);
    assert.match(headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
    const ours = text.split('\n').filter((line) => line.startsWith('countersign_'));
    const labels = new Set<string>();
    for (const line of ours) {
      const [, name, pairs = '', value] = SAMPLE.exec(line) ?? [];
      assert.ok(name, line);
      assert.ok(Number.isFinite(Number(value)), name);
      for (const [, label = ''] of pairs.matchAll(/([a-z_]+)="/g)) labels.add(label);
      for (const [, word = ''] of pairs.matchAll(/="([^"]*)"/g)) assert.match(word, /^([a-z_]{0,30}|[0-9.]+|\+Inf)$/);
    }
    assert.deepEqual([...labels].sort(), ['kind', 'le', 'reason', 'status']);
    for (const who of ['refund-bot', 'u_bob', 'u_alice', 'cnry', 'shop', 'create_refund', RESOURCE])
      assert.equal(ours.join().includes(who), false, who);
    assert.match(text, /^countersign_entries_total\{kind="refused",reason="policy_denied"\} 1$/m);
    assert.match(text, /^countersign_bundle_policies \d+$/m);
  });

  it('stands on the operator’s socket alone unless the configuration says otherwise', async () => {
    const other = await startRig({ config: { metrics: 'operator' } });
    try {
      assert.equal((await get(other, '/metrics')).status, 404);
      const answer = await new Promise<number | undefined>((resolve, reject) => {
        request({ socketPath: `${other.folder}/operator.sock`, path: '/metrics' }, (response) => resolve(response.resume().statusCode))
          .on('error', reject)
          .end();
      });
      assert.equal(answer, 200);
    } finally {
      await other.stop();
    }
  });
});

it('HEAD is GET without its body, wherever anyone may GET; elsewhere it is no method', async () => {
  const paths = [
    '/.well-known/oauth-authorization-server',
    '/jwks',
    '/rar',
    '/authorize',
    '/healthz',
    '/readyz',
    '/openapi.json',
    '/metrics',
  ];
  for (const path of paths) {
    const [head, full] = await Promise.all(['HEAD', 'GET'].map((method) => fetch(`${rig.issuer}${path}`, { method })));
    assert.ok(head && full);
    const body = await full.arrayBuffer();
    const of = ({ status, headers }: Response) => [
      path,
      status,
      headers.get('content-type'),
      headers.get('cache-control'),
      headers.get('etag'),
    ];
    assert.deepEqual(of(head), of(full));
    // The numbers of /metrics go on meanwhile.
    if (path !== '/metrics') assert.equal(head.headers.get('content-length'), String(body.byteLength), path);
    assert.equal((await head.arrayBuffer()).byteLength, 0, path);
    const posted = await fetch(`${rig.issuer}${path}`, { method: 'POST' });
    assert.deepEqual([posted.status, posted.headers.get('allow')], [405, 'GET, HEAD'], path);
  }
  const token = await fetch(`${rig.issuer}/token`, { method: 'HEAD' });
  assert.deepEqual([token.status, token.headers.get('allow')], [405, 'POST']);
});

describe('/openapi.json', () => {
  interface Operation {
    readonly summary?: string;
    readonly parameters?: readonly { readonly name: string; readonly in: string; readonly schema?: object }[];
    readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema?: object }>> };
    readonly responses: Readonly<
      Record<string, { readonly description?: string; readonly content?: Readonly<Record<string, { readonly schema?: object }>> }>
    >;
  }
  interface Document {
    readonly openapi: string;
    readonly info: { readonly title: string; readonly version: string; readonly license?: { readonly name: string } };
    readonly servers: readonly { readonly url: string }[];
    readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  }
  const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];
  const document = async (): Promise<Document> => (await get(rig, '/openapi.json')).body as unknown as Document;

  it('is OpenAPI 3.1: every part is there and every schema is one', async () => {
    const { openapi, info, servers, paths } = await document();
    assert.match(openapi, /^3\.1\.\d+$/);
    assert.ok(info.title && info.version && info.license?.name);
    assert.deepEqual(servers, [{ url: rig.issuer }]);
    const ajv = new Ajv2020({ strict: false });
    const schemas: (object | undefined)[] = [];
    for (const [path, item] of Object.entries(paths)) {
      assert.match(path, /^\//);
      for (const [method, operation] of Object.entries(item)) {
        assert.ok(METHODS.includes(method), `${method} ${path}`);
        assert.ok(operation.summary, `${method} ${path} says what it is`);
        for (const parameter of operation.parameters ?? []) {
          assert.ok(parameter.name && ['query', 'header', 'path', 'cookie'].includes(parameter.in));
          schemas.push(parameter.schema);
        }
        const bodies = Object.entries(operation.requestBody?.content ?? {});
        assert.equal(method === 'post', bodies.length > 0, `${method} ${path} has a body if it takes one`);
        const responses = Object.entries(operation.responses);
        assert.ok(responses.length > 0);
        for (const [code, response] of responses) {
          assert.match(code, /^([1-5]\d\d|default)$/);
          assert.ok(response.description, `${method} ${path} ${code}`);
          bodies.push(...Object.entries(response.content ?? {}));
        }
        for (const [type, { schema }] of bodies) {
          assert.match(type, /^[a-z]+\/[a-z0-9.+-]+$/);
          schemas.push(schema);
        }
      }
    }
    assert.ok(schemas.length > 30);
    for (const schema of schemas) assert.ok(schema && ajv.validateSchema(schema), ajv.errorsText());
  });

  it('names every route that the server answers, and no other', async () => {
    const { paths } = await document();
    const told = Object.entries(paths).flatMap(([path, item]) => Object.keys(item).map((method) => `${path} ${method.toUpperCase()}`));
    // A tree: what stands deeper goes on from what stands above it.
    const above: string[] = [];
    const routes = [...rig.app.server.printRoutes({ commonPrefix: false }).matchAll(/^(.*)[└├]── (\S*) \(([A-Z, ]+)\)/gm)].flatMap(
      ([, indent = '', part = '', methods = '']) => {
        above.length = indent.length / 4;
        above.push(part);
        return methods
          .split(', ')
          .filter((method) => method !== 'HEAD') // of each GET, and told by it
          .map((method) => `${above.join('')} ${method}`);
      },
    );
    assert.ok(routes.length >= 12);
    assert.deepEqual(told.sort(), routes.sort());
  });
});
