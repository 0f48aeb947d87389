/** Exchanges made in advance: the load must not be signed on the broker's time. */
import { randomUUID, sign } from 'node:crypto';
import type { JsonObject } from '../../src/wire/json.ts';
import type { TestKey } from '../support/keys.ts';
import { bareJwk, DETAILS, GRANT, ID_TOKEN } from '../support/rig.ts';

export interface Scene {
  readonly issuer: string;
  readonly resource: string;
  readonly people: { readonly issuer: string; readonly key: TestKey };
  readonly agents: readonly { readonly id: string; readonly client: string; readonly key: TestKey; readonly proofKey: TestKey }[];
  readonly nonce: string;
}
export interface Made {
  readonly body: string;
  readonly proof?: string;
  readonly retry?: string;
}
export interface Wishes {
  /** `fresh`: a new subject token each time, so that nothing can be remembered of it. */
  readonly subjects: 'fresh' | 'kept';
  /** How many people stand behind them. 50 unless told. */
  readonly people?: number;
  /** Epoch seconds. */
  readonly now?: number;
  /** A base token: no details, no proof, no Idempotency-Key. */
  readonly base?: true;
  /** The tool of the i-th, with its arguments. */
  readonly call?: (i: number) => { readonly identifier: string; readonly arguments: JsonObject };
  /** Which of the scene's agents asks first: the others follow in turn. */
  readonly from?: number;
}
const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
export function quickJwt(key: TestKey, header: object, claims: object): string {
  const input = `${encode({ alg: 'ES256', ...header })}.${encode(claims)}`;
  return `${input}.${sign('sha256', Buffer.from(input), { key: key.private, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

export function makeRequests(scene: Scene, count: number, options: Wishes): Made[] {
  const now = options.now ?? Math.floor(Date.now() / 1000);
  const tokens = new Map<string, string>();
  const made: Made[] = [];
  for (let i = 0; i < count; i++) {
    const agent = scene.agents[((options.from ?? 0) + i) % scene.agents.length];
    if (!agent) throw new Error('no agent');
    const person = `u_${i % (options.people ?? 50)}`;
    const name = `${agent.id}/${person}/${options.subjects === 'fresh' ? i : ''}`;
    const subject =
      tokens.get(name) ??
      quickJwt(
        scene.people.key,
        { typ: 'JWT', kid: scene.people.key.kid },
        { iss: scene.people.issuer, sub: person, aud: agent.client, iat: now, exp: now + 900, jti: randomUUID(), groups: ['support'] },
      );
    if (options.subjects === 'kept') tokens.set(name, subject);
    const entry: JsonObject = {
      type: DETAILS,
      locations: [scene.resource],
      actions: ['tools/call'],
      ...(options.call ?? refund)(i),
      purpose: 'refund duplicate charge, ticket 4711',
    };
    const form = {
      grant_type: GRANT,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: quickJwt(
        agent.key,
        { typ: 'client-authentication+jwt' },
        { iss: agent.id, sub: agent.id, aud: scene.issuer, iat: now, exp: now + 120, jti: randomUUID() },
      ),
      subject_token: subject,
      subject_token_type: ID_TOKEN,
      resource: scene.resource,
      ...(options.base ? { scope: 'tool:list' } : { authorization_details: JSON.stringify([entry]) }),
    };
    const body = new URLSearchParams(form).toString();
    if (options.base) {
      made.push({ body });
      continue;
    }
    const proof = quickJwt(
      agent.proofKey,
      { typ: 'dpop+jwt', jwk: bareJwk(agent.proofKey) },
      { htm: 'POST', htu: `${scene.issuer}/token`, iat: now, jti: randomUUID(), nonce: scene.nonce },
    );
    made.push({ body, proof, retry: randomUUID() });
  }
  return made;
}
const refund = (i: number): ReturnType<NonNullable<Wishes['call']>> => ({
  identifier: 'create_refund',
  arguments: { payment_id: `pay_${i}`, amount_minor: 4250, currency: 'EUR' },
});

export function httpOf(made: Made, path = '/token'): Buffer {
  const headers = [
    `POST ${path} HTTP/1.1`,
    'host: 127.0.0.1',
    'content-type: application/x-www-form-urlencoded',
    ...(made.proof === undefined ? [] : [`dpop: ${made.proof}`]),
    ...(made.retry === undefined ? [] : [`idempotency-key: "${made.retry}"`]),
    `content-length: ${Buffer.byteLength(made.body)}`,
  ];
  return Buffer.from(`${headers.join('\r\n')}\r\n\r\n${made.body}`);
}
