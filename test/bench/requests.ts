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
  readonly proof: string;
  readonly retry: string;
}
const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
export function quickJwt(key: TestKey, header: object, claims: object): string {
  const input = `${encode({ alg: 'ES256', ...header })}.${encode(claims)}`;
  return `${input}.${sign('sha256', Buffer.from(input), { key: key.private, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

/** `people`: how many subjects stand behind them; `subjects: 'fresh'`: a new subject token each time, so that nothing can be remembered of it. */
export function makeRequests(
  scene: Scene,
  count: number,
  options: { readonly subjects: 'fresh' | 'kept'; readonly people?: number; readonly now?: number },
): Made[] {
  const now = options.now ?? Math.floor(Date.now() / 1000);
  const tokens = new Map<string, string>();
  const made: Made[] = [];
  for (let i = 0; i < count; i++) {
    const agent = scene.agents[i % scene.agents.length];
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
      identifier: 'create_refund',
      arguments: { payment_id: `pay_${i}`, amount_minor: 4250, currency: 'EUR' },
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
      authorization_details: JSON.stringify([entry]),
    };
    const proof = quickJwt(
      agent.proofKey,
      { typ: 'dpop+jwt', jwk: bareJwk(agent.proofKey) },
      { htm: 'POST', htu: `${scene.issuer}/token`, iat: now, jti: randomUUID(), nonce: scene.nonce },
    );
    made.push({ body: new URLSearchParams(form).toString(), proof, retry: randomUUID() });
  }
  return made;
}
export const httpOf = (made: Made, path = '/token'): Buffer =>
  Buffer.from(
    `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/x-www-form-urlencoded\r\ndpop: ${made.proof}\r\nidempotency-key: "${made.retry}"\r\ncontent-length: ${Buffer.byteLength(made.body)}\r\n\r\n${made.body}`,
  );
