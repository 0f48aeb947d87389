/** Many agents at once, who remember everything: what they showed, under which key, and what they were answered. */
import { randomUUID, sign } from 'node:crypto';
import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestKey } from '../support/keys.ts';
import { bareJwk, DETAILS, GRANT, ID_TOKEN, RESOURCE } from '../support/rig.ts';
import type { House } from './harness.ts';

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/** What is asked, whoever asks it: a retry under its key asks the same again. */
export interface Wish {
  readonly client: 'refund-bot' | 'nightly-report';
  readonly proofKey: TestKey;
  readonly tool: 'create_refund' | 'list_orders';
  readonly args: Readonly<Record<string, string | number>>;
  readonly key?: string;
  /** Quoted as its purpose, so that its entry can be told from all others. */
  readonly mark?: string;
}
/** One sending of it, with the identifiers that it used up. */
export interface Sent {
  readonly wish: Wish;
  readonly assertion: string;
  readonly proof: string;
  readonly at: number;
}
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Readonly<Record<string, unknown>>;
}
/** `refused`: no connection, so nothing was used up. `lost`: sent, and the connection ended without an answer. */
export type Outcome = { readonly sent: Sent } & (
  | { readonly is: 'answered'; readonly answer: Answer }
  | { readonly is: 'refused' | 'lost' }
);
export interface Grant {
  readonly jti: string;
  readonly txn: string;
  readonly keyed: boolean;
}
export interface LoadOptions {
  /** The address of one of several brokers; else the issuer's own. */
  readonly door?: string;
  readonly inFlight?: number;
  /** Share of the wishes that have an Idempotency-Key. */
  readonly keyed?: number;
  /** What all wishes have in common. */
  readonly wish?: Partial<Wish>;
  /** Each wish has a mark of its own. */
  readonly marked?: true;
  /** Told that the broker stops, by an answer that ends its connection, send nothing more: as whoever routes to it would. */
  readonly heedful?: true;
  /** Epoch seconds. */
  readonly now?: () => number;
  /** Seen at once, while the load goes on. */
  readonly onGrant?: (token: string, sent: Sent) => void;
}
/** So many of what was sent last can be shown again. */
const KEPT = 400;
/** A broker that is away is asked again after this. */
const AWAY_MS = 40;
export interface Load {
  readonly grants: readonly Grant[];
  /** What the newest of them were granted for. */
  readonly used: readonly Sent[];
  /** The newest of what was sent and not answered: perhaps granted, and if so recorded. */
  readonly lost: readonly Sent[];
  /** How many of each: `200`, `503 temporarily_unavailable`, `refused`, `lost`. */
  readonly counts: Map<string, number>;
  /** Two grants under one Idempotency-Key, and whatever else must never be. */
  readonly wrong: readonly string[];
  begin(): void;
  /** All in flight have come back. */
  end(): Promise<void>;
  wish(over?: Partial<Wish>): Wish;
  make(
    wish?: Wish,
    over?: { readonly assertion?: string; readonly proof?: string; readonly subject?: string },
  ): Sent & { readonly form: string };
  send(sent: Sent & { readonly form: string }): Promise<Outcome>;
  ask(wish?: Wish): Promise<Outcome>;
}

/** What an answer comes to: `[200]`, or status, code and Retry-After, or `[lost]`. */
export function said(outcome: Outcome): readonly unknown[] {
  if (outcome.is !== 'answered') return [outcome.is];
  const { status, body, headers } = outcome.answer;
  return status === 200 ? [200] : [status, body['error'], ...(headers['retry-after'] === undefined ? [] : [headers['retry-after']])];
}
/** The stated answer of a broker that cannot decide safely. */
export const UNAVAILABLE = [503, 'temporarily_unavailable', '2'] as const;

const b64 = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
export function signed(key: Pick<TestKey, 'private'>, header: object, claims: object): string {
  const input = `${b64(header)}.${b64(claims)}`;
  return `${input}.${sign('sha256', Buffer.from(input), { key: key.private, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}
function keep(list: Sent[], { wish, assertion, proof, at }: Sent): void {
  list.push({ wish, assertion, proof, at });
  if (list.length > 2 * KEPT) list.splice(0, KEPT);
}
export const claimsOf = (token: string): Readonly<Record<string, unknown>> =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>;

export function createLoad(house: House, options: LoadOptions = {}): Load {
  const { inFlight = 16, keyed = 0.3, now = () => Math.floor(Date.now() / 1000), onGrant } = options;
  const { issuer } = house;
  const { hostname: host, port } = new URL(options.door ?? issuer);
  const grants: Grant[] = [];
  const used: Sent[] = [];
  const lost: Sent[] = [];
  const counts = new Map<string, number>();
  const wrong: string[] = [];
  const byKey = new Map<string, string>();
  /** Keyed wishes whose answer was lost: a client asks again under the same key. */
  let owed: Wish[] = [];
  let running: Promise<unknown> | undefined;
  let agent = new Agent({ keepAlive: true, maxSockets: 2 * inFlight });
  let going = false;
  let nonce: string | undefined;
  let subject = { token: '', at: 0 };
  let made = 0;

  function subjectToken(at: number): string {
    if (at - subject.at > 20 || at < subject.at) {
      const claims = { iss: house.people.issuer, sub: 'u_bob', aud: 'refund-bot-app', iat: at, exp: at + 600, groups: ['support'] };
      subject = { token: signed(house.peopleKey, { alg: 'ES256', typ: 'JWT', kid: house.peopleKey.kid }, claims), at };
    }
    return subject.token;
  }

  const load: Load = {
    grants,
    used,
    lost,
    counts,
    wrong,
    wish(over = {}) {
      made++;
      const client = over.client ?? options.wish?.client ?? (made % 5 === 0 ? 'nightly-report' : 'refund-bot');
      const tool = client === 'refund-bot' && made % 3 !== 0 ? 'create_refund' : 'list_orders';
      return {
        client,
        proofKey: house.proofKeys[made % house.proofKeys.length] as TestKey,
        tool,
        args:
          tool === 'create_refund'
            ? { payment_id: `pay_${made}`, amount_minor: 1 + (made % 5000), currency: 'EUR' }
            : { customer_id: `c_${made}` },
        ...(Math.random() < keyed && { key: randomUUID() }),
        ...(options.marked && { mark: randomUUID() }),
        ...options.wish,
        ...over,
      };
    },
    make(wish = load.wish(), over = {}) {
      const at = now();
      const { client, proofKey, tool, args, mark } = wish;
      const key = house.agents[client];
      const assertion =
        over.assertion ??
        signed(
          key,
          { alg: 'ES256', typ: 'client-authentication+jwt', kid: key.kid },
          { iss: client, sub: client, aud: issuer, iat: at, exp: at + 300, jti: randomUUID(), ...(nonce !== undefined && { nonce }) },
        );
      const proof =
        over.proof ??
        signed(
          proofKey,
          { alg: 'ES256', typ: 'dpop+jwt', jwk: bareJwk(proofKey) },
          { htm: 'POST', htu: `${issuer}/token`, iat: at, jti: randomUUID(), ...(nonce !== undefined && { nonce }) },
        );
      const action = { type: DETAILS, locations: [RESOURCE], actions: ['tools/call'], identifier: tool, arguments: args };
      const details = mark === undefined ? action : { ...action, purpose: mark };
      const form = new URLSearchParams({
        grant_type: client === 'refund-bot' ? GRANT : 'client_credentials',
        client_assertion_type: ASSERTION_TYPE,
        client_assertion: assertion,
        ...(client === 'refund-bot' && { subject_token: over.subject ?? subjectToken(at), subject_token_type: ID_TOKEN }),
        resource: RESOURCE,
        authorization_details: JSON.stringify([details]),
      }).toString();
      return { wish, assertion, proof, at, form };
    },
    send(sent) {
      return new Promise((resolve) => {
        const { form, wish, proof } = sent;
        let connected = false;
        const end = (outcome: Outcome): void => {
          note(outcome);
          resolve(outcome);
        };
        const failed = (): void => end({ sent, is: connected ? 'lost' : 'refused' });
        const headers = {
          'content-type': 'application/x-www-form-urlencoded',
          'content-length': Buffer.byteLength(form),
          dpop: proof,
          ...(wish.key !== undefined && { 'idempotency-key': `"${wish.key}"` }),
        };
        const asked = request({ host, port, method: 'POST', path: '/token', headers, agent }, (answer) => {
          let text = '';
          answer.setEncoding('utf8').on('data', (part) => {
            text += part;
          });
          answer.on('error', failed);
          answer.on('aborted', failed);
          answer.on('end', () => {
            if (!answer.complete) return;
            const body = JSON.parse(text || '{}') as Record<string, unknown>;
            end({ sent, is: 'answered', answer: { status: answer.statusCode ?? 0, headers: answer.headers, body } });
          });
        });
        asked.on('socket', (socket) => {
          if (!socket.connecting) connected = true;
          else
            socket.once('connect', () => {
              connected = true;
            });
        });
        asked.on('error', failed).end(form);
      });
    },
    async ask(wish = load.wish()) {
      const outcome = await load.send(load.make(wish));
      // A new broker's first answer brings the nonce; an old one lives four minutes.
      return outcome.is === 'answered' && outcome.answer.body['error'] === 'use_dpop_nonce' ? load.send(load.make(wish)) : outcome;
    },
    begin() {
      going = true;
      running = Promise.all(Array.from({ length: inFlight }, run));
    },
    async end() {
      going = false;
      await running;
      agent.destroy();
      agent = new Agent({ keepAlive: true, maxSockets: 2 * inFlight });
    },
  };

  async function run(): Promise<void> {
    while (going && !house.over) {
      const again = owed.shift();
      const outcome = await load.ask(again ?? load.wish());
      if (outcome.is === 'answered' && options.heedful && outcome.answer.headers.connection === 'close') going = false;
      if (outcome.is === 'refused') {
        if (again) owed.push(again);
        await sleep(AWAY_MS);
      }
    }
  }
  const counted = new WeakSet<Sent>();
  function note(outcome: Outcome): void {
    const { sent } = outcome;
    if (counted.has(sent)) return; // an abort and an error may tell of one end
    counted.add(sent);
    const { key } = sent.wish;
    let name: string = outcome.is;
    if (outcome.is === 'lost') {
      keep(lost, sent);
      if (key !== undefined) owed = [...owed.slice(-100), sent.wish];
    } else if (outcome.is === 'answered') {
      const { status, body, headers } = outcome.answer;
      if (typeof headers['dpop-nonce'] === 'string') nonce = headers['dpop-nonce'];
      name = status === 200 ? '200' : `${status} ${String(body['error'])}`;
      if (status === 200) granted(sent, String(body['access_token']));
    }
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  function granted(sent: Sent, token: string): void {
    const { jti, txn } = claimsOf(token) as { jti: string; txn: string };
    const { key } = sent.wish;
    grants.push({ jti, txn, keyed: key !== undefined });
    keep(used, sent);
    if (key !== undefined) {
      const first = byKey.get(key) ?? jti;
      if (first !== jti) wrong.push(`two grants under one key: ${first}, ${jti}`);
      byKey.set(key, first);
    }
    onGrant?.(token, sent);
  }
  return load;
}
