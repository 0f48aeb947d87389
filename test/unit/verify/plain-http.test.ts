import assert from 'node:assert/strict';
import type { RequestListener } from 'node:http';
import { after, before, describe, test } from 'node:test';
import express from 'express';
import { fastify } from 'fastify';
import * as forExpress from '../../../src/verify/adapter-express.ts';
import * as forFastify from '../../../src/verify/adapter-fastify.ts';
import { currentAction, type Verifier } from '../../../src/verify/verify.ts';
import type { JsonObject } from '../../../src/wire/json.ts';
import { ARGS, actionToken, proof, TOOL, thief } from './issuer.ts';
import { baseFor, headersFor, openShop, type Shop, send, until } from './shopfront.ts';

const schema = {
  body: {
    type: 'object',
    required: ['payment_id'],
    properties: { payment_id: { type: 'string' }, amount_minor: { type: 'number' }, reason: { type: 'string', default: 'none' } },
  },
};
function withFastify(verifier: Verifier, ran: JsonObject[]): RequestListener {
  const app = fastify();
  app.register(forFastify.strictJson);
  app.register(forFastify.metadata(verifier));
  app.post('/mcp', { schema, ...forFastify.guard({ verifier, tool: TOOL }) }, async (request, reply) => {
    const action = forFastify.actionOf(request);
    assert.equal(action, currentAction());
    assert.deepEqual(action?.arguments, ARGS);
    ran.push(request.body as JsonObject);
    if (request.headers['x-fail']) return reply.code(500).send('broken');
    return { subject: action?.subject };
  });
  return (req, res) => void app.ready(() => app.routing(req, res));
}
function withExpress(parser: boolean) {
  return (verifier: Verifier, ran: JsonObject[]): RequestListener => {
    const app = express();
    if (parser) app.use(express.json());
    app.use(forExpress.metadata(verifier));
    app.post('/mcp', forExpress.guard({ verifier, tool: TOOL, arguments: (req) => req.body }), (req, res) => {
      const action = forExpress.actionOf(req);
      assert.equal(action, currentAction());
      ran.push({ ...req.body, reason: 'none' });
      if (req.headers['x-fail']) res.status(500).send('broken');
      else res.json({ subject: action?.subject });
    });
    return app as unknown as RequestListener;
  };
}
const KINDS = [
  ['fastify', withFastify],
  ['express, its own reader', withExpress(false)],
  ['express after express.json()', withExpress(true)],
] as const;

for (const [kind, serve] of KINDS) {
  describe(`a plain HTTP tool behind ${kind}`, () => {
    let shop: Shop;
    before(async () => {
      shop = await openShop(serve);
    });
    after(() => shop.close());
    const forget = (): void => {
      shop.ran.length = 0;
      shop.told.length = 0;
    };
    test('runs once, is told, and a second use is 409', async () => {
      forget();
      const headers = await headersFor(shop);
      const answer = await send(shop, ARGS, headers);
      assert.deepEqual([answer.status, answer.text], [200, '{"subject":"people:u_5b2f61"}']);
      assert.deepEqual(shop.ran, [{ ...ARGS, reason: 'none' }]);
      await until(() => shop.told.length === 1);
      assert.deepEqual(shop.outcomes(), ['done']);
      const second = await send(shop, ARGS, headers);
      assert.deepEqual([second.status, JSON.parse(second.text).error, second.code], [409, 'action_consumed', 'ERR_ACTION_CONSUMED']);
      assert.equal(shop.ran.length, 1);
    });
    test('a failure is told as one', async () => {
      forget();
      assert.equal((await send(shop, ARGS, { ...(await headersFor(shop)), 'x-fail': '1' })).status, 500);
      await until(() => shop.told.length === 1);
      assert.deepEqual(shop.outcomes(), ['failed']);
    });
    test('other arguments, no token, a base token, a thief', async () => {
      forget();
      const answer = async (body: object, headers: Record<string, string>) => {
        const { status, code } = await send(shop, body, headers);
        return [status, code];
      };
      assert.deepEqual(await answer({ ...ARGS, amount_minor: 9 }, await headersFor(shop)), [401, 'ERR_ARGUMENTS_DIGEST']);
      assert.deepEqual(await answer(ARGS, {}), [401, 'ERR_TOKEN_MISSING']);
      assert.deepEqual(await answer(ARGS, { authorization: await baseFor(shop) }), [403, 'ERR_SCOPE_INSUFFICIENT']);
      assert.deepEqual(await answer(ARGS, await headersFor(shop, {}, { key: thief })), [401, 'ERR_PROOF_BINDING']);
      const elsewhere = await headersFor(shop, {}, { claims: { htu: `${shop.resource}/other` } });
      assert.deepEqual(await answer(ARGS, elsewhere), [401, 'ERR_PROOF_HTU']);
      assert.deepEqual([shop.ran, shop.told], [[], []]);
    });
    test('two equal keys never pass as what was decided', async () => {
      forget();
      const { status } = await send(shop, `${JSON.stringify(ARGS).slice(0, -1)},"amount_minor":9}`, await headersFor(shop));
      assert.ok(status === 400 || status === 401);
      assert.deepEqual(shop.ran, []);
    });
    test('a repeated header', async () => {
      forget();
      const { authorization = '', dpop = '' } = await headersFor(shop);
      const token = await actionToken({ resource: shop.resource, claims: { iss: shop.issuer } });
      const { request } = await import('node:http');
      const twice = {
        authorization: [authorization, `DPoP ${token}`],
        dpop: [dpop, await proof(token, 'header', { resource: shop.resource })],
      };
      const status = await new Promise((resolve) => {
        const text = JSON.stringify(ARGS);
        const flat = Object.entries(twice).flatMap(([name, values]) => values.flatMap((value) => [name, value]));
        const headers = [
          'content-type',
          'application/json',
          'content-length',
          String(text.length),
          ...flat,
          'host',
          new URL(shop.resource).host,
        ];
        request(shop.resource, { method: 'POST', headers }, (res) => resolve(res.resume().statusCode)).end(text);
      });
      assert.equal(status, 400);
      assert.deepEqual(shop.ran, []);
    });
    test('the protected-resource document', async () => {
      const answer = await fetch(shop.verifier.metadata.url);
      assert.deepEqual(await answer.json(), shop.verifier.metadata.document);
    });
  });
}
test('fastify: what validation refuses uses no token up', async () => {
  const shop = await openShop(withFastify);
  const args = { amount_minor: 1 };
  const headers = await headersFor(shop, { args });
  assert.equal((await send(shop, args, headers)).status, 400);
  assert.deepEqual([shop.ran, shop.told], [[], []]);
  await shop.close();
});
