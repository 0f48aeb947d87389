/** What the tests of this folder do beside asking /token: other endpoints, a bundle that changes, a clock that runs ahead. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { createRemoteJWKSet, type JWTPayload, jwtVerify, type ProtectedHeaderParameters } from 'jose';
import { writeManifest } from '../../scripts/policies.ts';
import type { Entry, World } from '../../src/model.ts';
import { isObject, type JsonObject, parseJson } from '../../src/wire/json.ts';
import { createWorld } from '../../src/world.ts';
import { jwt, newKey, type TestKey } from '../support/keys.ts';
import { type Answer, type Asking, answerOf, RESOURCE, type Rig } from '../support/rig.ts';

export const FORM = 'application/x-www-form-urlencoded';
export const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/** A client of this rig as it stands in a form: an agent by its id, or a tool server by its id and key. */
export async function clientForm(rig: Rig, id: string, key = rig.agents[id]): Promise<Record<string, string>> {
  if (!key) throw new Error(`this rig has no agent ${id}`);
  const at = rig.now();
  const claims = { iss: id, sub: id, aud: rig.issuer, iat: at, exp: at + 60, jti: randomUUID() };
  return {
    client_assertion_type: ASSERTION_TYPE,
    client_assertion: await jwt(key, { typ: 'client-authentication+jwt', alg: key.alg }, claims),
  };
}
export const post = async (rig: Rig, path: string, form: Readonly<Record<string, string>>): Promise<Answer> =>
  answerOf(await fetch(`${rig.issuer}${path}`, { method: 'POST', body: new URLSearchParams(form) }));
export const get = async (rig: Rig, path: string, headers: Record<string, string> = {}): Promise<Answer> =>
  answerOf(await fetch(`${rig.issuer}${path}`, { headers }));

export const introspect = async (rig: Rig, token: string, id = 'shop', key: TestKey = rig.server): Promise<Answer> =>
  post(rig, '/introspect', { ...(await clientForm(rig, id, key)), token });
export const revoke = async (rig: Rig, token: string, id = 'refund-bot', key = rig.agents[id]): Promise<Answer> =>
  post(rig, '/revoke', { ...(await clientForm(rig, id, key)), token });

/** An agent that asks for itself: no subject, and its own assertion. */
export const asItself = (rig: Rig, id: string, more: Asking = {}): Asking => ({
  subject: null,
  args: {},
  ...more,
  assertion: { key: keyOf(rig, id), claims: { iss: id, sub: id } },
  form: { grant_type: 'client_credentials', ...more.form },
  entry: { identifier: 'list_orders', ...more.entry },
});
export const asAgent = (rig: Rig, id: string): Pick<Asking, 'assertion'> => ({
  assertion: { key: keyOf(rig, id), claims: { iss: id, sub: id } },
});
function keyOf(rig: Rig, id: string): TestKey {
  const key = rig.agents[id];
  if (!key) throw new Error(`this rig has no agent ${id}`);
  return key;
}
/** A base token instead of an action. */
export const LIST: Asking = { details: null, form: { scope: 'tool:list' } };

export const tokenOf = (answer: Answer): string => {
  const token = answer.body['access_token'];
  if (typeof token !== 'string') throw new Error(`no token in ${answer.status} ${answer.text}`);
  return token;
};
/** The payload of a token, unverified: for what a test compares. */
export const claimsOf = (token: string): JsonObject =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as JsonObject;

/** Changes one file of a bundle and lists it in the manifest again. Throws where the text to be replaced is not there. */
export async function editBundle(folder: string, file: string, from: string | RegExp, to: string): Promise<void> {
  await editUnlisted(folder, file, from, to);
  await writeManifest(folder);
}
/** The same, with the manifest as it was. */
export async function editUnlisted(folder: string, file: string, from: string | RegExp, to: string): Promise<void> {
  const path = join(folder, file);
  const text = await readFile(path, 'utf8');
  const changed = text.replace(from, () => to);
  if (changed === text) throw new Error(`${file} has nothing to replace`);
  await writeFile(path, changed);
}
export async function addToBundle(folder: string, file: string, text: string): Promise<void> {
  await writeFile(join(folder, file), text);
  await writeManifest(folder);
}

/** A tool server beside the shop, with the key it proves itself by. */
export async function addSecondServer(folder: string): Promise<TestKey> {
  const key = newKey();
  const identity = `identity: { jwks: ${JSON.stringify({ keys: [key.publicJwk] })} }`;
  const tools = 'tools:\n  ping: { description: Answers., input: { type: object } }';
  await addToBundle(folder, 'servers/billing.yaml', `id: billing\nname: Billing\nresource: ${BILLING}\n${identity}\n${tools}\n`);
  return key;
}
export const BILLING = 'http://127.0.0.1:9091/mcp';

/** The entries since, as some members of each. */
export async function told(rig: Rig, seq: number, ...members: readonly (keyof Entry)[]): Promise<readonly unknown[][]> {
  return (await rig.entries(seq)).map((entry) => members.map((name) => entry[name]));
}

const HIDDEN = `
  read_note:
    description: Reads a note whose name the broker need not know.
    arguments: hidden
    input: { type: object, properties: { name: { type: string } }, required: [name] }
`;
const MORE = `
@id("services-see-orders")
@owner("team:support")
permit (principal is Service, action == shop::Action::"list_orders", resource == Server::"shop");

@id("notes")
@owner("team:support")
permit (principal is Person, action == shop::Action::"read_note", resource == Server::"shop");

@id("refund-bot-notes")
@owner("people:u_alice")
@ttl("5m")
permit (principal == Actor::"refund-bot", action == shop::Action::"read_note", resource == Server::"shop");

@id("triage-bot-itself")
@owner("people:u_bob")
permit (principal == Agent::"triage-bot", action == shop::Action::"list_orders", resource == Server::"shop");
`;

/** The sample bundle and more: a hidden tool, a service that may look, permits that name no life. */
export async function widenBundle(folder: string): Promise<void> {
  await editBundle(folder, 'servers/shop.yaml', /\n {2}delete_customer:/, `${HIDDEN}\n  delete_customer:`);
  await addToBundle(folder, 'more.cedar', MORE);
}

export interface Granted {
  readonly answer: Answer;
  readonly header: ProtectedHeaderParameters;
  readonly claims: JWTPayload & JsonObject;
}
/** Granted, and the token verifies as any stranger would verify it. */
export async function grantedBy(on: Rig, asking: Asking = {}): Promise<Granted> {
  const answer = await on.ask(asking);
  assert.equal(answer.status, 200, answer.text);
  const keys = createRemoteJWKSet(new URL(`${on.issuer}/jwks`));
  const { payload, protectedHeader } = await jwtVerify(tokenOf(answer), keys, {
    issuer: on.issuer,
    audience: RESOURCE,
    typ: 'at+jwt',
    requiredClaims: ['iss', 'sub', 'aud', 'client_id', 'iat', 'exp', 'jti', 'txn', 'scope'],
    clockTolerance: 0,
  });
  return { answer, header: protectedHeader, claims: payload as JWTPayload & JsonObject };
}

export interface AheadWorld extends World {
  /** Both clocks go forward by so much, and on from there. */
  ahead(seconds: number): void;
  /** The wall clock alone: it is in doubt until it is put back. */
  jump(seconds: number): void;
}
/** The real world, which a test may put ahead. The store keeps its own clock, as another machine would. */
export function aheadWorld(): AheadWorld {
  let seconds = 0;
  let jumped = 0;
  const wall = (): number => Date.now() + (seconds + jumped) * 1000;
  const world = createWorld({ wall, monotonic: () => performance.now() + seconds * 1000 });
  return {
    ...world,
    ahead(more) {
      seconds += more;
    },
    jump(more) {
      jumped += more;
    },
  };
}
/** A nonce for now: the rig keeps its first one. */
export const freshNonce = async (rig: Rig): Promise<string> => (await post(rig, '/token', {})).headers.get('dpop-nonce') ?? '';

/** The operator API on its socket, as scripts use it. */
export function operate(rig: Rig, path: string, body?: JsonObject): Promise<JsonObject> {
  return new Promise((resolve, reject) => {
    const ask = request(
      {
        socketPath: join(rig.folder, 'operator.sock'),
        path,
        method: body ? 'POST' : 'GET',
        headers: body ? { 'content-type': 'application/json' } : {},
      },
      async (answer) => {
        let text = '';
        for await (const part of answer) text += part;
        const read = parseJson(text);
        if (answer.statusCode === 200 && read.ok && isObject(read.value)) resolve(read.value);
        else reject(new Error(`${answer.statusCode} ${text}`));
      },
    );
    ask.once('error', reject).end(body && JSON.stringify(body));
  });
}
