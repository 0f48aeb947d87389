/** Agents and a tool server that want credentials of a back end, and remember what they were given. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { FakeBackend } from '../support/fake-backend.ts';
import { sha256, type TestKey } from '../support/keys.ts';
import { bareJwk, DETAILS, GRANT, ID_TOKEN, RESOURCE } from '../support/rig.ts';
import type { Program } from '../support/toy.ts';
import { readLedger } from './checks.ts';
import { type House, type Launch, operate } from './harness.ts';
import { claimsOf, signed } from './load.ts';

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
export const FAKE = 'urn:countersign:credential:fake';

/** `status` 0: nobody answered, or not to the end. */
export interface Reply {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
  readonly retryAfter?: string;
}
export interface Action {
  readonly token: string;
  readonly txn: string;
  readonly key: TestKey;
}
/** What one of the fake kind is. */
export interface Login {
  readonly user: string;
  readonly password: string;
}
export interface Clients {
  /** Users of what has been delivered. */
  readonly given: Set<string>;
  /** An agent asks for one that is registered `deliver: agent`. */
  exchange(idempotencyKey?: string): Promise<Reply>;
  /** A person's agent is granted an action, and nothing of a back end. */
  action(): Promise<Action | undefined>;
  /** The tool server redeems it, by a fresh proof of its agent. */
  redeem(action: Action): Promise<Reply>;
  receipt(txn: string, outcome?: string): Promise<Reply>;
}
type Where = Pick<House, 'issuer' | 'agents' | 'server' | 'proofKeys' | 'people' | 'peopleKey'>;

/** `door`: the address of one of several brokers; else the issuer's own. */
export function createClients(house: Where, door: string = house.issuer): Clients {
  const { issuer } = house;
  const given = new Set<string>();
  let nonce: string | undefined;
  let made = 0;
  const now = (): number => Math.floor(Date.now() / 1000);
  const assertion = (id: string, key: TestKey): Record<string, string> => {
    const named = nonce !== undefined && { nonce };
    const claims = { iss: id, sub: id, aud: issuer, iat: now(), exp: now() + 60, jti: randomUUID(), ...named };
    return {
      client_assertion_type: ASSERTION_TYPE,
      client_assertion: signed(key, { alg: 'ES256', typ: 'client-authentication+jwt', kid: key.kid }, claims),
    };
  };
  const proof = (key: TestKey, claims: object): string =>
    signed(key, { alg: 'ES256', typ: 'dpop+jwt', jwk: bareJwk(key) }, { iat: now(), jti: randomUUID(), ...claims });
  const details = (tool: string, args: object): string =>
    JSON.stringify([{ type: DETAILS, locations: [RESOURCE], actions: ['tools/call'], identifier: tool, arguments: args }]);

  async function post(path: string, body: string, headers: Record<string, string>): Promise<Reply> {
    try {
      const answer = await fetch(`${door}${path}`, { method: 'POST', body, headers });
      nonce = answer.headers.get('dpop-nonce') ?? nonce;
      const body_ = JSON.parse((await answer.text()) || '{}') as Record<string, unknown>;
      const retryAfter = answer.headers.get('retry-after');
      return { status: answer.status, body: body_, ...(retryAfter !== null && { retryAfter }) };
    } catch {
      return { status: 0, body: {} };
    }
  }
  async function ask(form: () => Record<string, string>, key?: TestKey, idempotencyKey?: string): Promise<Reply> {
    const send = (): Promise<Reply> =>
      post('/token', new URLSearchParams(form()).toString(), {
        'content-type': 'application/x-www-form-urlencoded',
        ...(key && { dpop: proof(key, { htm: 'POST', htu: `${issuer}/token`, ...(nonce !== undefined && { nonce }) }) }),
        ...(idempotencyKey !== undefined && { 'idempotency-key': `"${idempotencyKey}"` }),
      });
    const reply = await send();
    return reply.body['error'] === 'use_dpop_nonce' ? send() : reply;
  }
  function deliver(reply: Reply): Reply {
    if (reply.status === 200) given.add(loginOf(reply).user);
    return reply;
  }

  return {
    given,
    async exchange(idempotencyKey) {
      const key = house.proofKeys[made++ % house.proofKeys.length] as TestKey;
      // Asking again is the same asking: the argument follows from the key.
      const args = { customer_id: idempotencyKey ?? `c_${made}` };
      const form = (): Record<string, string> => ({
        grant_type: 'client_credentials',
        ...assertion('nightly-report', house.agents['nightly-report']),
        resource: RESOURCE,
        requested_token_type: FAKE,
        authorization_details: details('list_orders', args),
      });
      return deliver(await ask(form, idempotencyKey === undefined ? key : house.proofKeys[0], idempotencyKey));
    },
    async action() {
      const key = house.proofKeys[made++ % house.proofKeys.length] as TestKey;
      const at = now();
      const person = { iss: house.people.issuer, sub: 'u_bob', aud: 'refund-bot-app', iat: at, exp: at + 600, groups: ['support'] };
      const reply = await ask(
        () => ({
          grant_type: GRANT,
          ...assertion('refund-bot', house.agents['refund-bot']),
          subject_token: signed(house.peopleKey, { alg: 'ES256', typ: 'JWT', kid: house.peopleKey.kid }, person),
          subject_token_type: ID_TOKEN,
          resource: RESOURCE,
          authorization_details: details('create_refund', { payment_id: `pay_${made}`, amount_minor: 100, currency: 'EUR' }),
        }),
        key,
      );
      if (reply.status !== 200) return undefined;
      const token = String(reply.body['access_token']);
      return { token, txn: String(claimsOf(token)['txn']), key };
    },
    async redeem({ token, key }) {
      const form = (): Record<string, string> => ({
        grant_type: GRANT,
        ...assertion('shop', house.server),
        subject_token: token,
        subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        requested_token_type: FAKE,
        resource: RESOURCE,
        action_proof: proof(key, { htm: 'tools/call', htu: RESOURCE, ath: sha256(token) }),
      });
      return deliver(await ask(form));
    },
    receipt(txn, outcome = 'done') {
      const { server } = house;
      const claims = { iss: 'shop', sub: 'shop', aud: issuer, iat: now(), exp: now() + 600, jti: randomUUID(), txn, outcome };
      const jws = signed(server, { alg: 'ES256', typ: 'countersign-receipt+jwt', kid: server.kid }, claims);
      return post('/receipts', jws, { 'content-type': 'application/jwt' });
    },
  };
}
export const loginOf = ({ body }: Reply): Login => JSON.parse(Buffer.from(String(body['access_token']), 'base64url').toString()) as Login;

/** `200`, or status, code and Retry-After. */
export const wordOf = ({ status, body, retryAfter }: Reply): string =>
  status === 200 ? '200' : [status, body['error'], retryAfter].filter((part) => part !== undefined).join(' ');
/** A broker of that program, in a process of its own. */
export const launchOf = (house: House, program: Program): Launch => ({
  program: [join(program.folder, 'src/main.ts'), '-c', house.config],
});
export const openLeases = async (house: Pick<House, 'socket'>): Promise<{ readonly open: number; readonly overdue: number }> => {
  const { open, overdue } = (await operate(house.socket, 'GET', '/operator/leases')).body as { open: number; overdue: number };
  return { open, overdue };
};

/** What works, and neither reached anybody nor is named by an entry: an answer may be lost on its way after it was recorded. */
export function strays(house: Pick<House, 'store'>, back: FakeBackend, clients: Clients): readonly unknown[] {
  const named = new Set(
    readLedger(house.store).flatMap(({ kind, credential, txn }) => (kind === 'minted' && credential === 'fake' ? [txn] : [])),
  );
  return back.outstanding().filter(({ user, txn }) => !clients.given.has(user) && !named.has(txn));
}
