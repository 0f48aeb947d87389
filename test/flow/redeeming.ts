/** A tool server of the rig that redeems: what a change leaves alone is right. */
import { randomUUID } from 'node:crypto';
import type { JsonObject } from '../../src/wire/json.ts';
import { jwt, sha256, type TestKey } from '../support/keys.ts';
import {
  ACCESS_TOKEN,
  type Answer,
  type Asking,
  answerOf,
  bareJwk,
  GRANT,
  type Part,
  REFUND,
  RESOURCE,
  type Rig,
  type RigOptions,
} from '../support/rig.ts';
import { registerToy, type ToyProgram } from '../support/toy.ts';
import { ASSERTION_TYPE, tokenOf, widenBundle } from './front-door.ts';

export const TOY = 'urn:countersign:credential:toy';
export interface Redeeming {
  /** The action token; a fresh one unless told. */
  readonly token?: string;
  readonly asking?: Asking;
  /** How the agent's proof came: in the HTTP request, or inside the call. */
  readonly by?: 'header' | 'meta';
  readonly actionProof?: Part;
  readonly assertion?: Part | null;
  /** Who redeems. */
  readonly client?: string;
  /** What the registration's template needs; null: no details. */
  readonly args?: JsonObject | null;
  readonly form?: Readonly<Record<string, string | null>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: (form: string) => string;
}

export const toyRig = (program: ToyProgram): RigOptions => ({
  program,
  bundle: async (folder) => {
    await widenBundle(folder);
    await registerToy(folder);
  },
  // A union arm of the copy alone: the type of this program knows nothing of it.
  config: { backends: [{ use: 'toy' }] as never },
});

/** A tool whose arguments are hidden from the broker, and that needs none of them for its account. */
export const NOTE: Asking = {
  details: [
    {
      type: 'urn:countersign:tool-call:v1',
      locations: [RESOURCE],
      actions: ['tools/call'],
      identifier: 'read_note',
      arguments_digest: 'sha-256:WPVi6EnQ7H9Fh-qk9ADxmTg8zruOdVUX1esl-v3TfCI',
    },
  ],
};
export const actionToken = async (rig: Rig, asking: Asking = {}): Promise<string> => tokenOf(await rig.ask(asking));

export async function redeemForm(
  rig: Rig,
  redeeming: Redeeming = {},
): Promise<{ readonly body: string; readonly headers: Record<string, string> }> {
  const { by = 'meta', client = 'shop', assertion = {}, actionProof = {}, args = redeeming.asking?.args ?? REFUND } = redeeming;
  const token = redeeming.token ?? (await actionToken(rig, redeeming.asking));
  const at = rig.now();
  const form: Record<string, string | null> = {
    grant_type: GRANT,
    subject_token: token,
    subject_token_type: ACCESS_TOKEN,
    requested_token_type: TOY,
    resource: RESOURCE,
    action_proof: await part(actionProof, rig.proofKey, ({ publicJwk }) => ({ typ: 'dpop+jwt', jwk: publicJwk }), {
      htm: by === 'meta' ? 'tools/call' : 'POST',
      htu: RESOURCE,
      iat: at,
      jti: randomUUID(),
      ath: sha256(token),
    }),
  };
  if (args !== null)
    form['authorization_details'] = JSON.stringify([
      {
        type: 'urn:countersign:tool-call:v1',
        locations: [RESOURCE],
        actions: ['tools/call'],
        identifier: redeeming.asking?.entry?.['identifier'] ?? 'create_refund',
        arguments: args,
      },
    ]);
  if (assertion !== null) {
    const claims = { iss: client, sub: client, aud: rig.issuer, iat: at, exp: at + 60, jti: randomUUID() };
    form['client_assertion_type'] = ASSERTION_TYPE;
    form['client_assertion'] = await part(
      assertion,
      rig.agents[client] ?? rig.server,
      () => ({ typ: 'client-authentication+jwt' }),
      claims,
    );
  }
  Object.assign(form, redeeming.form);
  const text = Object.entries(form)
    .filter((pair): pair is [string, string] => pair[1] !== null)
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
    .join('&');
  const headers = { 'content-type': 'application/x-www-form-urlencoded', ...redeeming.headers };
  return { body: redeeming.body ? redeeming.body(text) : text, headers };
}
export const send = async (
  rig: Rig,
  { body, headers }: { readonly body: string; readonly headers: Record<string, string> },
): Promise<Answer> => answerOf(await fetch(`${rig.issuer}/token`, { method: 'POST', headers, body }));
export const redeem = async (rig: Rig, redeeming: Redeeming = {}): Promise<Answer> => send(rig, await redeemForm(rig, redeeming));

/** What an `access_token` of no JWT holds. */
export const credentialOf = (answer: Answer): JsonObject => JSON.parse(Buffer.from(tokenOf(answer), 'base64url').toString()) as JsonObject;

async function part(change: Part, key: TestKey, header: (key: TestKey) => object, claims: object): Promise<string> {
  if (change.token !== undefined) return change.token;
  const signer = change.key ?? key;
  const head = JSON.parse(
    JSON.stringify({ alg: signer.alg, ...header({ ...signer, publicJwk: bareJwk(signer) }), ...change.header }),
  ) as object;
  return jwt(signer, head, { ...claims, ...change.claims });
}
