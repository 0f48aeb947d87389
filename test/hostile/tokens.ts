/** Four kinds of JWT are shown to /token: the same mistreatment of each, and what each one's refusal is called. */
import { randomUUID } from 'node:crypto';
import type { TestKey } from '../support/keys.ts';
import { type Asking, bareJwk, type Part, type Rig } from '../support/rig.ts';
import type { Case } from './oracle.ts';

export type Kind = 'assertion' | 'subject' | 'actor' | 'proof';
export const KINDS: readonly Kind[] = ['assertion', 'subject', 'actor', 'proof'];
type Refused = Pick<Case, 'status' | 'error' | 'reason'>;
export const REFUSED: Readonly<Record<Kind, Refused>> = {
  assertion: { status: 401, error: 'invalid_client', reason: 'client_unauthenticated' },
  subject: { status: 400, error: 'invalid_request', reason: 'subject_bad' },
  actor: { status: 400, error: 'invalid_request', reason: 'actor_bad' },
  proof: { status: 400, error: 'invalid_dpop_proof', reason: 'proof_bad' },
};

/** A good request in which one token is what is given. */
export const showing = (kind: Kind, part: Part): Asking => ({ ...(kind === 'actor' && LOOK), [kind]: part });
/** What a sub-agent may do: so that its token is all that is wrong. */
export const LOOK: Asking = { entry: { identifier: 'list_orders' }, args: {}, actor: {} };

/** The token itself, of an otherwise good request. */
export async function goodToken(rig: Rig, kind: Kind): Promise<string> {
  const { body, headers } = await rig.form(kind === 'actor' ? LOOK : {});
  const form = new URLSearchParams(body);
  const name = { assertion: 'client_assertion', subject: 'subject_token', actor: 'actor_token' };
  return kind === 'proof' ? (headers['dpop'] ?? '') : (form.get(name[kind]) ?? '');
}

export function keyOf(rig: Rig, kind: Kind): TestKey {
  const agents = rig.agents as Readonly<Record<'refund-bot' | 'triage-bot', TestKey>>;
  return { assertion: agents['refund-bot'], subject: rig.idp.key, actor: agents['triage-bot'], proof: rig.proofKey }[kind];
}
/** Header and claims of a good token of this kind, for tokens that no library would make. */
export async function partsOf(
  rig: Rig,
  kind: Kind,
): Promise<{ readonly header: object; readonly claims: Readonly<Record<string, unknown>> }> {
  const at = rig.now();
  const common = { iat: at, jti: randomUUID() };
  const key = keyOf(rig, kind);
  switch (kind) {
    case 'assertion':
      return { header: { alg: 'ES256' }, claims: { ...common, iss: 'refund-bot', sub: 'refund-bot', aud: rig.issuer, exp: at + 60 } };
    case 'actor':
      return {
        header: { alg: 'ES256' },
        claims: { ...common, iss: 'triage-bot', sub: 'triage-bot', aud: rig.issuer, exp: at + 60, cnf: { jkt: rig.proofKey.jkt } },
      };
    case 'subject':
      return {
        header: { alg: 'ES256', kid: key.kid },
        claims: { ...common, iss: rig.idp.issuer, sub: 'u_bob', aud: 'refund-bot-app', exp: at + 600, groups: ['support'] },
      };
    default:
      return {
        header: { typ: 'dpop+jwt', alg: 'ES256', jwk: bareJwk(key) },
        claims: { ...common, htm: 'POST', htu: `${rig.issuer}/token`, nonce: await rig.nonce() },
      };
  }
}
