/** People who have logged in with a passkey, for tests of what they sign. */
import assert from 'node:assert/strict';
import { sha256 } from '../../src/wire/digest.ts';
import type { JsonObject } from '../../src/wire/json.ts';
import { type SoftPasskey, softPasskey, type Wrong } from '../support/passkey.ts';
import type { Answer, Rig } from '../support/rig.ts';
import { logIn, type Visit } from './visiting.ts';

export interface Holder {
  readonly visit: Visit;
  readonly passkey: SoftPasskey;
}
export const PROVEN = '@approval("team:privacy") @approval_proof("passkey")';

/** One of the privacy team, unless the test says otherwise. */
export const approver = (rig: Rig, sub: string, teams: readonly string[] = ['privacy']): Promise<Visit> =>
  logIn(rig, { sub, roles: ['approver'], teams });
export async function offerTo(visit: Visit): Promise<string> {
  const offered = await visit.post('/operator/passkeys/options');
  assert.equal(offered.status, 200, offered.text);
  return String((offered.body['options'] as JsonObject)['challenge']);
}
export async function register(visit: Visit, passkey: SoftPasskey, wrong: Wrong = {}, label = 'key ring'): Promise<Answer> {
  return visit.post('/operator/passkeys', { label, response: passkey.register(await offerTo(visit), wrong) });
}
/** What one of theirs signs, so that another comes or goes; with the offer that it is for. */
export async function askedAct(visit: Visit, act: object): Promise<{ readonly challenge: string; readonly signed: JsonObject }> {
  const asked = await visit.post('/operator/passkeys/challenge', act);
  assert.equal(asked.status, 200, asked.text);
  return { challenge: String((asked.body['options'] as JsonObject)['challenge']), signed: asked.body['signed'] as JsonObject };
}
/** A further one, signed for by the one that they have. */
export async function registerMore({ visit, passkey }: Holder, more: SoftPasskey, label = 'key ring'): Promise<Answer> {
  const offer = await offerTo(visit);
  const { challenge } = await askedAct(visit, { act: 'register', credential: more.id, label, offer });
  return visit.post('/operator/passkeys', { label, response: more.register(offer), assertion: passkey.sign(challenge) });
}
export const idOf = (passkey: SoftPasskey): string => sha256(passkey.id);
export async function removePasskey({ visit, passkey }: Holder, goes: SoftPasskey = passkey): Promise<Answer> {
  const { challenge, signed } = await askedAct(visit, { act: 'remove', id: idOf(goes) });
  return visit.post(`/operator/passkeys/${idOf(goes)}/remove`, { offer: signed['offer'], assertion: passkey.sign(challenge) });
}
export async function holder(rig: Rig, sub: string, counts = true): Promise<Holder> {
  const visit = await approver(rig, sub);
  const passkey = softPasskey({ origin: rig.issuer, counts });
  assert.equal((await register(visit, passkey)).status, 200);
  return { visit, passkey };
}
export async function challengeOf(visit: Visit, id: string, body: object = {}, what = 'approvals'): Promise<string> {
  const asked = await visit.post(`/operator/${what}/${id}/challenge`, body);
  assert.equal(asked.status, 200, asked.text);
  return String((asked.body['options'] as JsonObject)['challenge']);
}
export const cast = (visit: Visit, id: string, assertion: object | undefined, more: object = {}): Promise<Answer> =>
  visit.post(`/operator/approvals/${id}`, { vote: 'approve', reason: 'looked at it', ...(assertion && { assertion }), ...more });
export async function signedVote({ visit, passkey }: Holder, id: string, wrong: Wrong = {}): Promise<Answer> {
  return cast(visit, id, passkey.sign(await challengeOf(visit, id), wrong));
}
