import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { inspect } from 'node:util';
import { nonces, type VerifierOptions, type VerifyCode, VerifyError } from '../../../src/verify/verify.ts';
import { rawJws } from '../../support/keys.ts';
import {
  ARGS,
  actionToken,
  agent,
  baseToken,
  broker,
  brokerRsa,
  call,
  FORMS,
  type Form,
  goodCall,
  ISSUER,
  type Minting,
  NOW,
  newKey,
  type Proving,
  proof,
  RESOURCE,
  shop,
  TOOL,
  thief,
} from './issuer.ts';

type Answer = readonly [status: number, error: string];
const TOKEN: Answer = [401, 'invalid_token'];
const PROOF: Answer = [401, 'invalid_dpop_proof'];
const SCOPE: Answer = [403, 'insufficient_scope'];
const REQUEST: Answer = [400, 'invalid_request'];
const USED: Answer = [409, 'action_consumed'];
const DOWN: Answer = [503, 'temporarily_unavailable'];

async function refused(work: Promise<unknown>, code: VerifyCode, [status, error]: Answer): Promise<VerifyError> {
  const fault = await work.then(
    () => assert.fail('it was accepted'),
    (thrown: unknown) => thrown,
  );
  assert.ok(fault instanceof VerifyError, inspect(fault));
  assert.deepEqual([fault.code, fault.status, fault.error], [code, status, error]);
  return fault;
}
const detail = (over: object) => ({ entry: over });

/** Each flaw of a token by itself, both forms. */
const TOKENS: readonly (readonly [string, Minting, VerifyCode, Answer?])[] = [
  ['a JWT of another kind', { header: { typ: 'JWT' } }, 'ERR_TOKEN_TYP'],
  ['a receipt', { header: { typ: 'countersign-receipt+jwt' } }, 'ERR_TOKEN_TYP'],
  ['no typ', { header: { typ: undefined } }, 'ERR_TOKEN_TYP'],
  ['a key of its own', { header: { jwk: broker.publicJwk } }, 'ERR_TOKEN_HEADER'],
  ['jku', { header: { jku: 'https://evil.example/jwks' } }, 'ERR_TOKEN_HEADER'],
  ['x5u', { header: { x5u: 'https://evil.example/x' } }, 'ERR_TOKEN_HEADER'],
  ['x5c', { header: { x5c: [] } }, 'ERR_TOKEN_HEADER'],
  ['an unknown kid', { header: { kid: 'k9' } }, 'ERR_TOKEN_KID'],
  ["another key's kid", { key: { ...thief, kid: 'k1' } }, 'ERR_TOKEN_SIGNATURE'],
  ['another issuer', { claims: { iss: 'https://evil.example' } }, 'ERR_TOKEN_ISSUER'],
  ['the issuer with a slash', { claims: { iss: `${ISSUER}/` } }, 'ERR_TOKEN_ISSUER'],
  ['no issuer', { claims: { iss: undefined } }, 'ERR_TOKEN_ISSUER'],
  ['another audience', { claims: { aud: 'https://mcp.other.example/mcp' } }, 'ERR_TOKEN_AUDIENCE'],
  ['the audience with a slash', { claims: { aud: `${RESOURCE}/` } }, 'ERR_TOKEN_AUDIENCE'],
  ['two audiences', { claims: { aud: [RESOURCE, 'https://mcp.other.example/mcp'] } }, 'ERR_TOKEN_AUDIENCE'],
  ['no end', { claims: { exp: undefined } }, 'ERR_TOKEN_CLAIM'],
  ['no start', { claims: { iat: undefined } }, 'ERR_TOKEN_CLAIM'],
  ['a past end', { claims: { iat: NOW - 200, exp: NOW } }, 'ERR_TOKEN_EXPIRED'],
  ['a start to come', { claims: { iat: NOW + 60, exp: NOW + 180 } }, 'ERR_TOKEN_EARLY'],
  ['too long a life', { claims: { exp: NOW + 301 } }, 'ERR_TOKEN_LIFETIME'],
  ['no jti', { claims: { jti: undefined } }, 'ERR_TOKEN_CLAIM'],
  ['no txn', { claims: { txn: undefined } }, 'ERR_TOKEN_CLAIM'],
  ['a txn that is no text', { claims: { txn: 7 } }, 'ERR_TOKEN_CLAIM'],
  ['no client', { claims: { client_id: undefined } }, 'ERR_TOKEN_CLAIM'],
  ['no subject', { claims: { sub: undefined } }, 'ERR_TOKEN_CLAIM'],
  ['an actor that is no principal', { claims: { act: 'refund-bot' } }, 'ERR_TOKEN_CLAIM'],
  ['an actor without name', { claims: { act: { iss: ISSUER } } }, 'ERR_TOKEN_CLAIM'],
  ['a binding without thumbprint', { claims: { cnf: {} } }, 'ERR_TOKEN_CLAIM'],
  ['no binding', { claims: { cnf: undefined } }, 'ERR_TOKEN_SCHEME'],
  ['no scope', { claims: { scope: undefined } }, 'ERR_TOKEN_CLAIM'],
  ['the scope of another tool', { claims: { scope: 'tool:delete_customer' } }, 'ERR_SCOPE_INSUFFICIENT', SCOPE],
  ['a scope that only starts so', { claims: { scope: `tool:${TOOL}s` } }, 'ERR_SCOPE_INSUFFICIENT', SCOPE],
  ['the listing scope with details', { claims: { scope: 'tool:list' } }, 'ERR_SCOPE_INSUFFICIENT', SCOPE],
  ['no details', { claims: { authorization_details: undefined, cnf: { jkt: agent.jkt } } }, 'ERR_SCOPE_INSUFFICIENT', SCOPE],
  ['empty details', { claims: { authorization_details: [] } }, 'ERR_DETAILS_COUNT'],
  ['details that are no list', { claims: { authorization_details: {} } }, 'ERR_DETAILS_TYPE'],
  ['details of another type', detail({ type: 'urn:example' }), 'ERR_DETAILS_TYPE'],
  ['an unknown member', detail({ limit: 1 }), 'ERR_DETAILS_MEMBER'],
  ['another location', detail({ locations: ['https://mcp.other.example/mcp'] }), 'ERR_DETAILS_LOCATION'],
  ['two locations', detail({ locations: [RESOURCE, RESOURCE] }), 'ERR_DETAILS_LOCATION'],
  ['another action', detail({ actions: ['resources/read'] }), 'ERR_DETAILS_ACTION'],
  ['another tool in the details', detail({ identifier: 'delete_customer' }), 'ERR_DETAILS_TOOL'],
  ['a digest that is none', detail({ arguments_digest: 'sha-256:x' }), 'ERR_DETAILS_DIGEST'],
  ['no digest: bound to no arguments', detail({ arguments_digest: undefined }), 'ERR_ARGUMENTS_DIGEST'],
  ['other arguments', { args: { ...ARGS, amount_minor: 4251 } }, 'ERR_ARGUMENTS_DIGEST'],
];
/** Each flaw of a proof by itself; what depends on the form is a function of it. */
const other = (form: Form): Form => (form === 'header' ? 'meta' : 'header');
const PROOFS: readonly (readonly [string, (form: Form) => Proving, VerifyCode])[] = [
  ['of another kind', () => ({ header: { typ: 'JWT' } }), 'ERR_PROOF_FORM'],
  ['with RS256', () => ({ key: brokerRsa, jwk: brokerRsa.publicJwk }), 'ERR_PROOF_FORM'],
  ['without a key', () => ({ header: { jwk: undefined } }), 'ERR_PROOF_KEY'],
  ['with a private key in it', () => ({ jwk: { ...agent.publicJwk, d: 'AAAA' } }), 'ERR_PROOF_KEY'],
  ['signed by another key than it shows', () => ({ key: thief, jwk: agent.publicJwk }), 'ERR_PROOF_SIGNATURE'],
  ["by a thief's key", () => ({ key: thief }), 'ERR_PROOF_BINDING'],
  ['without jti', () => ({ claims: { jti: undefined } }), 'ERR_PROOF_CLAIM'],
  ['for another method', () => ({ claims: { htm: 'GET' } }), 'ERR_PROOF_HTM'],
  ['of the other form', (form) => ({ claims: { htm: other(form) === 'header' ? 'POST' : 'tools/call' } }), 'ERR_PROOF_HTM'],
  ['for another URL', () => ({ claims: { htu: 'https://mcp.other.example/mcp' } }), 'ERR_PROOF_HTU'],
  ['with a query', () => ({ claims: { htu: `${RESOURCE}?x=1` } }), 'ERR_PROOF_HTU'],
  ['from long ago', () => ({ claims: { iat: NOW - 61 } }), 'ERR_PROOF_IAT'],
  ['from later', () => ({ claims: { iat: NOW + 61 } }), 'ERR_PROOF_IAT'],
  ['for another token', () => ({ claims: { ath: 'x' } }), 'ERR_PROOF_ATH'],
  ['for no token', () => ({ claims: { ath: undefined } }), 'ERR_PROOF_ATH'],
];

for (const form of FORMS) {
  describe(`one action, by ${form}`, () => {
    test('is given whole', async () => {
      const verifier = shop();
      const act = { sub: 'sub-bot', act: { sub: 'refund-bot', iss: ISSUER } };
      const action = await verifier.verify(await goodCall(form, { claims: { jti: 'j1', txn: 't1', act } }));
      assert.deepEqual(
        { ...action },
        {
          issuer: ISSUER,
          txn: 't1',
          jti: 'j1',
          resource: RESOURCE,
          tool: TOOL,
          subject: 'people:u_5b2f61',
          actors: [{ sub: 'sub-bot' }, { sub: 'refund-bot', iss: ISSUER }],
          clientId: 'refund-bot',
          scope: `tool:${TOOL}`,
          iat: NOW,
          exp: NOW + 120,
          jkt: agent.jkt,
          digest: action.digest,
          arguments: ARGS,
        },
      );
      assert.match(action.token, /^ey/);
      assert.match(action.proof, /^ey/);
      await action.receipt('done');
    });
    test('may be signed with RS256', async () => {
      assert.equal((await shop().verify(await goodCall(form, { key: brokerRsa }))).tool, TOOL);
    });
    test('absent arguments are {}', async () => {
      const token = await actionToken({ args: {} });
      const { arguments: _, ...bare } = call(form, token, await proof(token, form));
      assert.deepEqual((await shop().verify(bare)).arguments, {});
    });
    for (const [what, asked, code, answer = TOKEN] of TOKENS) {
      test(`a token with ${what}`, async () => {
        const verifier = shop();
        await refused(verifier.verify(await goodCall(form, asked)), code, answer);
        // Nothing was used up.
        await verifier.verify(await goodCall(form));
      });
    }
    for (const [what, asked, code] of PROOFS) {
      test(`a proof ${what}`, async () => {
        const verifier = shop();
        const token = await actionToken();
        const { jwk, ...rest } = asked(form);
        const header = rest.header && 'jwk' in rest.header ? { header: { jwk: undefined } } : {};
        const bad = await proof(token, form, { ...rest, ...header, ...(jwk && { jwk }) });
        await refused(verifier.verify(call(form, token, bad)), code, PROOF);
        await verifier.verify(call(form, token, await proof(token, form)));
      });
    }
    test('without proof', async () => {
      await refused(shop().verify(call(form, await actionToken(), undefined)), 'ERR_PROOF_MISSING', PROOF);
    });
    test('the order of the checks: an earlier flaw hides a later one', async () => {
      const wrong = { key: { ...thief, kid: 'k1' }, claims: { aud: 'x', exp: 1, scope: 'x' }, args: {} };
      await refused(shop().verify(await goodCall(form, wrong)), 'ERR_TOKEN_SIGNATURE', TOKEN);
      const late = await goodCall(form, { claims: { scope: 'x' }, args: {} });
      await refused(shop().verify(late), 'ERR_SCOPE_INSUFFICIENT', SCOPE);
    });
    test('strings that are no token', async () => {
      const token = await actionToken();
      const last = token.at(-1) === 'A' ? 'B' : 'A';
      const duplicate = rawJws(broker, '{"alg":"ES256","typ":"at+jwt","kid":"k1"}', `{"iss":"${ISSUER}","iss":"${ISSUER}","cnf":{}}`);
      for (const bad of ['', 'x', 'a.b', `${token}=`, `${token} `, `${token}.x`, `${token}\n`, duplicate, token.slice(0, -1) + last]) {
        const fault = await shop()
          .verify(call(form, bad, await proof(bad, form)))
          .catch((e: unknown) => e);
        assert.ok(fault instanceof VerifyError);
        assert.ok(['ERR_TOKEN_FORM', 'ERR_TOKEN_SIGNATURE'].includes(fault.code), fault.code);
        assert.deepEqual([fault.status, fault.error], TOKEN);
      }
    });
    test('alg none is refused', async () => {
      const [, payload] = (await actionToken()).split('.');
      const token = `${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')}.${payload}.AA`;
      await refused(shop().verify(call(form, token, await proof(token, form))), 'ERR_TOKEN_ALG', TOKEN);
    });
    test('a second use is 409, also of the same bytes, of a new proof, of another issuance of the same txn', async () => {
      const verifier = shop();
      const token = await actionToken({ claims: { txn: 't1' } });
      const request = call(form, token, await proof(token, form));
      await verifier.verify(request);
      await refused(verifier.verify(request), 'ERR_ACTION_CONSUMED', USED);
      await refused(verifier.verify(call(form, token, await proof(token, form))), 'ERR_ACTION_CONSUMED', USED);
      await refused(verifier.verify(await goodCall(form, { claims: { txn: 't1' } })), 'ERR_ACTION_CONSUMED', USED);
      await verifier.verify(await goodCall(form));
    });
    test('fifty at once have one winner', async () => {
      const verifier = shop();
      const request = await goodCall(form);
      const all = await Promise.allSettled(Array.from({ length: 50 }, () => verifier.verify(request)));
      assert.equal(all.filter((one) => one.status === 'fulfilled').length, 1);
    });
    test('a token from before the memory began is 409, never run', async () => {
      const verifier = shop();
      await refused(verifier.verify(await goodCall(form, { now: NOW - 1 })), 'ERR_ACTION_TOO_OLD', USED);
    });
    test('a store that cannot know refuses', async () => {
      const consumed = { consume: () => Promise.reject(new Error('down')) };
      const fault = await refused(shop({ consumed }).verify(await goodCall(form)), 'ERR_STORE_UNAVAILABLE', DOWN);
      assert.deepEqual(fault.headers, { 'retry-after': '2' });
    });
    test('keys that cannot be had refuse', async () => {
      const keys = { find: () => Promise.reject(new Error('down')) };
      await refused(shop({ keys }).verify(await goodCall(form)), 'ERR_KEYS_UNAVAILABLE', DOWN);
    });
    test('arguments that are not strict', async () => {
      const nested = Array.from({ length: 70 }).reduce<object>((inner) => ({ inner }), {});
      for (const bad of [[], 'x', 1, { a: '\ud800' }, { a: 2 ** 60 }, nested, { __entity: {} }]) {
        const request = { ...(await goodCall(form)), arguments: bad as never };
        await refused(shop().verify(request), 'ERR_ARGUMENTS_FORM', REQUEST);
      }
    });
    test('a tool that does not exist uses nothing up', async () => {
      const verifier = shop({ tools: [TOOL] });
      const request = await goodCall(form);
      await refused(verifier.verify({ ...request, tool: 'delete_customer' }), 'ERR_TOOL_UNKNOWN', [404, 'not_found']);
      await refused(verifier.verify({ ...request, tool: 'a b' }), 'ERR_TOOL_UNKNOWN', [404, 'not_found']);
      await verifier.verify(request);
    });
    test('a nonce is asked for and taken', async () => {
      const clock = () => NOW;
      const nonce = nonces({ now: clock });
      const verifier = shop({ nonce });
      const token = await actionToken();
      const needed: Answer = [401, 'use_dpop_nonce'];
      const fault = await refused(verifier.verify(call(form, token, await proof(token, form))), 'ERR_PROOF_NONCE_NEEDED', needed);
      const given = fault.headers['dpop-nonce'];
      assert.ok(nonce.check(given));
      assert.match(fault.headers['www-authenticate'] ?? '', /^Bearer .*, DPoP algs="ES256", error="use_dpop_nonce"/);
      for (const bad of ['x', `${given}x`, nonces({ now: clock }).issue(), nonces({ now: () => NOW - 900 }).issue()]) {
        const stale = await proof(token, form, { claims: { nonce: bad } });
        await refused(verifier.verify(call(form, token, stale)), 'ERR_PROOF_NONCE_NEEDED', needed);
      }
      await verifier.verify(call(form, token, await proof(token, form, { claims: { nonce: given } })));
    });
    test('nothing presented is echoed', async () => {
      const canary = 'canary-8812';
      const token = await actionToken({ claims: { aud: canary, txn: canary, sub: canary } });
      const fault = await shop()
        .verify({ ...call(form, token, await proof(token, form)), arguments: { canary } })
        .catch((e: unknown) => e);
      assert.ok(fault instanceof VerifyError);
      assert.doesNotMatch(inspect(fault, { depth: 9 }) + JSON.stringify([fault.body, fault.rpc(), fault.headers]), new RegExp(canary));
    });
  });
}

describe('schemes', () => {
  const http = (authorization: string | undefined, dpop?: string) => ({
    tool: TOOL,
    arguments: ARGS,
    http: { method: 'POST', authorization, dpop },
  });

  test('no token, or another scheme, is a challenge without error', async () => {
    for (const authorization of [undefined, '', 'Basic eDp5', 'Token x']) {
      const fault = await refused(shop().verify(http(authorization)), 'ERR_TOKEN_MISSING', TOKEN);
      assert.equal(
        fault.headers['www-authenticate'],
        'Bearer resource_metadata="https://mcp.shop.example/.well-known/oauth-protected-resource/mcp", scope="tool:list", DPoP algs="ES256"',
      );
    }
  });
  test('a bound token as Bearer is refused, even with its proof', async () => {
    const token = await actionToken();
    await refused(shop().verify(http(`Bearer ${token}`, await proof(token, 'header'))), 'ERR_TOKEN_SCHEME', TOKEN);
  });
  test("an action token without a key would be anybody's", async () => {
    const token = await actionToken({ claims: { cnf: undefined } });
    await refused(shop().verify(http(`Bearer ${token}`)), 'ERR_TOKEN_SCHEME', TOKEN);
  });
  test('a base token opens no call, as Bearer, bound, or in _meta', async () => {
    const fault = await refused(shop().verify(http(`Bearer ${await baseToken()}`)), 'ERR_SCOPE_INSUFFICIENT', SCOPE);
    assert.match(
      fault.headers['www-authenticate'] ?? '',
      /^Bearer resource_metadata="[^"]+", scope="tool:create_refund", error="insufficient_scope"/,
    );
    const bound = await baseToken({ cnf: { jkt: agent.jkt } });
    await refused(shop().verify(http(`dpop ${bound}`, await proof(bound, 'header'))), 'ERR_SCOPE_INSUFFICIENT', SCOPE);
    await refused(shop().verify(call('meta', bound, await proof(bound, 'meta'))), 'ERR_SCOPE_INSUFFICIENT', SCOPE);
    const plain = await baseToken();
    await refused(shop().verify(call('meta', plain, await proof(plain, 'meta'))), 'ERR_TOKEN_SCHEME', TOKEN);
  });
  test('the scheme is read without case, a proof by its normalised URL', async () => {
    const token = await actionToken();
    const odd = await proof(token, 'header', { claims: { htu: 'HTTPS://MCP.shop.example:443/mcp' } });
    await shop().verify(http(`dPoP ${token}`, odd));
  });
});

describe('two tokens', () => {
  const both = async (header: string, headerProof: string | undefined, inner: string) => ({
    ...call('meta', inner, await proof(inner, 'meta')),
    http: { method: 'POST', authorization: `${headerProof ? 'DPoP' : 'Bearer'} ${header}`, dpop: headerProof },
  });
  test('a base token of the same client may stand in the header', async () => {
    await shop().verify(await both(await baseToken(), undefined, await actionToken()));
  });
  test('so may the same action token, proved twice', async () => {
    const token = await actionToken();
    await shop().verify(await both(token, await proof(token, 'header'), token));
  });
  test('a base token of another client or issuer, or another action token, may not', async () => {
    await refused(
      shop().verify(await both(await baseToken({ client_id: 'other' }), undefined, await actionToken())),
      'ERR_TOKEN_CONFLICT',
      REQUEST,
    );
    const second = await actionToken();
    await refused(shop().verify(await both(second, await proof(second, 'header'), await actionToken())), 'ERR_TOKEN_CONFLICT', REQUEST);
  });
  test('a bad token in the header is not covered by a good one inside', async () => {
    await refused(shop().verify(await both(await baseToken({ exp: NOW - 1 }), undefined, await actionToken())), 'ERR_TOKEN_EXPIRED', TOKEN);
    const token = await actionToken();
    await refused(shop().verify({ ...(await both(token, undefined, token)) }), 'ERR_TOKEN_SCHEME', TOKEN);
  });
  test('_meta that is not what it should be', async () => {
    const token = await actionToken();
    const meta = (meta: never) => ({ tool: TOOL, arguments: ARGS, meta });
    await refused(shop().verify(meta('x' as never)), 'ERR_REQUEST_FORM', REQUEST);
    await refused(shop().verify(meta({ 'countersign/action-token': 1 } as never)), 'ERR_TOKEN_FORM', TOKEN);
    await refused(
      shop().verify(meta({ 'countersign/action-token': token, 'countersign/action-proof': 1 } as never)),
      'ERR_PROOF_FORM',
      PROOF,
    );
    await refused(shop().verify(meta({ 'countersign/action-proof': 'x' } as never)), 'ERR_TOKEN_MISSING', TOKEN);
    await refused(shop().verify(meta({} as never)), 'ERR_TOKEN_MISSING', TOKEN);
  });
});

describe('base tokens', () => {
  const admit = async (verifier: ReturnType<typeof shop>, token: string, dpop?: string) =>
    verifier.admit({ method: 'POST', authorization: `${dpop ? 'DPoP' : 'Bearer'} ${token}`, dpop });
  test('open listing', async () => {
    const admitted = await admit(shop(), await baseToken());
    assert.deepEqual(admitted, { issuer: ISSUER, subject: 'refund-bot', clientId: 'refund-bot', scopes: ['tool:list'], exp: NOW + 600 });
  });
  test('an action token does not', async () => {
    const token = await actionToken();
    const fault = await refused(admit(shop(), token, await proof(token, 'header')), 'ERR_SCOPE_INSUFFICIENT', SCOPE);
    assert.match(fault.headers['www-authenticate'] ?? '', /scope="tool:list"/);
  });
  test('a bound one needs its proof, each proof once', async () => {
    const verifier = shop();
    const token = await baseToken({ cnf: { jkt: agent.jkt } });
    await refused(admit(verifier, token), 'ERR_TOKEN_SCHEME', TOKEN);
    const once = await proof(token, 'header');
    await admit(verifier, token, once);
    await refused(admit(verifier, token, once), 'ERR_PROOF_REPLAYED', PROOF);
    await admit(verifier, token, await proof(token, 'header'));
  });
  test('lives longer, but not for ever', async () => {
    await admit(shop(), await baseToken({ exp: NOW + 3_600 }));
    await refused(admit(shop(), await baseToken({ exp: NOW + 3_601 })), 'ERR_TOKEN_LIFETIME', TOKEN);
  });
});

describe('introspection', () => {
  const asking = (answer: () => Response, seen: Request[] = []): Partial<VerifierOptions> => ({
    introspect: {
      clientId: 'shop',
      key: newKey().private,
      fetch: async (url, init) => {
        seen.push(new Request(url as string, init));
        return answer();
      },
    },
  });
  test('an active token passes; the broker is asked as the server itself', async () => {
    const seen: Request[] = [];
    await shop(asking(() => Response.json({ active: true }), seen)).verify(await goodCall('header'));
    const [request] = seen;
    assert.equal(request?.url, `${ISSUER}/introspect`);
    const form = new URLSearchParams(await request?.text());
    assert.equal(form.get('client_assertion_type'), 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer');
    const [head, body] = (form.get('client_assertion') ?? '').split('.').map((part) => Buffer.from(part, 'base64url').toString());
    assert.equal(JSON.parse(head ?? '').typ, 'client-authentication+jwt');
    const { iss, sub, aud, exp } = JSON.parse(body ?? '');
    assert.deepEqual([iss, sub, aud, exp], ['shop', 'shop', ISSUER, NOW + 60]);
  });
  test('a revoked one does not, and is not used up', async () => {
    let active = false;
    const verifier = shop(asking(() => Response.json({ active })));
    const request = await goodCall('meta');
    await refused(verifier.verify(request), 'ERR_TOKEN_REVOKED', TOKEN);
    active = true;
    await verifier.verify(request);
  });
  const SILENT: readonly (readonly [string, () => Response])[] = [
    ['an error', () => new Response('', { status: 500 })],
    ['no JSON', () => new Response('x')],
    ['another member', () => Response.json({ active: 'true' })],
    ['the answer for another token', () => Response.json({ active: true, jti: 'other' })],
    ['too much', () => new Response('x'.repeat(70_000))],
    [
      'a dead line',
      () => {
        throw new TypeError('fetch failed');
      },
    ],
  ];
  for (const [what, answer] of SILENT) {
    test(`${what} refuses`, async () => {
      await refused(shop(asking(answer)).verify(await goodCall('header')), 'ERR_INTROSPECTION_UNAVAILABLE', DOWN);
    });
  }
});

test('several issuers, each for itself', async () => {
  const two = shop({ issuer: [ISSUER, 'https://second.example'] });
  await two.verify(await goodCall('header', { claims: { txn: 't1' } }));
  await two.verify(await goodCall('header', { claims: { txn: 't1', iss: 'https://second.example' } }));
});
test('an action ends with its second', async () => {
  const verifier = shop();
  const request = await goodCall('header', { claims: { exp: NOW + 20 } });
  verifier.clock.now = NOW + 20;
  await refused(verifier.verify(request), 'ERR_TOKEN_EXPIRED', TOKEN);
});
test('wrong options are refused at once', () => {
  assert.throws(() => shop({ issuer: [] }), /issuer: must be a URL/);
  assert.throws(() => shop({ issuer: 'broker' }), /issuer: must be a URL/);
  assert.throws(() => shop({ resource: '/mcp' }), /resource: must be an absolute URI/);
  assert.throws(() => shop({ resource: `${RESOURCE}#x` }), /resource: must be an absolute URI/);
  assert.throws(() => shop({ issuer: 'http://broker.example', introspect: { clientId: 'x', key: agent.private } }), /https URL/);
});
test('the protected-resource document stands before the path', () => {
  const { metadata } = shop({ name: 'Shop' });
  assert.equal(metadata.path, '/.well-known/oauth-protected-resource/mcp');
  assert.deepEqual(metadata.document, {
    resource: RESOURCE,
    authorization_servers: [ISSUER],
    scopes_supported: ['tool:list'],
    bearer_methods_supported: ['header'],
    dpop_signing_alg_values_supported: ['ES256'],
    authorization_details_types_supported: ['urn:countersign:tool-call:v1'],
    resource_name: 'Shop',
  });
  assert.equal(shop({ resource: 'https://a.example' }).metadata.path, '/.well-known/oauth-protected-resource');
});
