import type { FastifyInstance } from 'fastify';
import { refuse } from '../errors.ts';
import { assertionOf } from '../operate/approvals-proof.ts';
import type { Act, Passkeys, Registering, Removing } from '../operate/passkeys.ts';
import { isObject, type Json, type JsonObject, parseJson } from '../wire/json.ts';
import { JSON_TYPE } from './documents.ts';
import { operatorRefusal } from './operator-answer.ts';
import { operatorOf } from './operator-guard.ts';

const MAX_LABEL = 64;

const MAX_REASON = 500;

/**
 * The passkeys of whoever has logged in, their own alone (role `self`). Never on the local socket: nobody else registers what stands for a person.
 *
 * - GET /operator/passkeys → `{ usable, passkeys: [{ id, credential, label, made, used? }] }`; not `usable`: the console is open under an address;
 * - POST /operator/passkeys/options `{}` → `{ options, proof? }` for `startRegistration({ optionsJSON: options })` of @simplewebauthn/browser;
 * - POST /operator/passkeys `{ label, response, assertion? }` with what that returned → the passkey; with `proof: "passkey"` one that they have signs;
 * - POST /operator/passkeys/:id/remove `{ offer, assertion }` → the passkey as it was; what it signed stays proved;
 * - POST /operator/passkeys/challenge `{ act: "register", credential, label, offer }`, `offer` being the challenge of `options`, or `{ act: "remove", id }`
 *   → `{ options, signed }` for `startAuthentication({ optionsJSON: options })`, whose answer is the `assertion`; `signed.offer` is the `offer`.
 *
 * A vote that needs one: POST /operator/approvals/:id/challenge `{ steps? }` (or /operator/confirmations/…) → `{ options, signed, salt, arguments_digest }`,
 * signed in the same way; the answer is the vote's `assertion`.
 */
export function passkeyEndpoints(server: FastifyInstance, passkeys: Passkeys): void {
  const own = { config: { roles: ['self'] } } as const;
  const deed = { config: { roles: ['self'], body: JSON_TYPE } } as const;
  server.get('/operator/passkeys', own, async (request) => passkeys.list(operatorOf(request).name));
  server.post('/operator/passkeys/options', deed, async (request, reply) => {
    const offered = await passkeys.offer(operatorOf(request).name);
    return offered.ok ? offered.value : operatorRefusal(reply, offered.error);
  });
  server.post('/operator/passkeys/challenge', deed, async (request, reply) => {
    const act = actIn(request.body);
    if (!act) return operatorRefusal(reply, refuse('request_malformed').error);
    const asked = await passkeys.challenge(operatorOf(request).name, act);
    return asked.ok ? asked.value : operatorRefusal(reply, asked.error);
  });
  server.post('/operator/passkeys', deed, async (request, reply) => {
    const asked = registrationIn(request.body);
    if (!asked) return operatorRefusal(reply, refuse('request_malformed').error);
    const outcome = await passkeys.register(operatorOf(request).name, asked);
    return outcome.ok ? outcome.value : operatorRefusal(reply, outcome.error);
  });
  server.post<{ Params: { id: string } }>('/operator/passkeys/:id/remove', deed, async (request, reply) => {
    const asked = removalIn(request.body);
    if (!asked) return operatorRefusal(reply, refuse('request_malformed').error);
    const outcome = await passkeys.remove(operatorOf(request).name, { id: request.params.id, ...asked });
    return outcome.ok ? outcome.value : operatorRefusal(reply, outcome.error);
  });
}
/** POST /operator/passkeys/reset `{ person, reason }`, on the local socket alone: takes away all of somebody's, who has lost them → `{ removed }`. */
export function passkeyResetEndpoint(server: FastifyInstance, passkeys: Passkeys): void {
  server.post('/operator/passkeys/reset', { config: { roles: ['operator'], body: JSON_TYPE } }, async (request, reply) => {
    const { person, reason, ...rest } = bodyOf(request.body) ?? {};
    if (!isText(person, 512) || !isText(reason, MAX_REASON) || Object.keys(rest).length > 0)
      return operatorRefusal(reply, refuse('request_malformed').error);
    const outcome = await passkeys.reset(person, reason, operatorOf(request));
    return outcome.ok ? outcome.value : operatorRefusal(reply, outcome.error);
  });
}

function bodyOf(body: unknown): JsonObject | undefined {
  const parsed = parseJson(typeof body === 'string' ? body : '', 64 * 1024);
  return parsed.ok && isObject(parsed.value) ? parsed.value : undefined;
}
const isText = (value: Json | undefined, most: number): value is string =>
  typeof value === 'string' && value.trim() !== '' && value.length <= most;
/** Closed but for what the browser says. */
function registrationIn(body: unknown): Registering | undefined {
  const { label, response, assertion: signed, ...rest } = bodyOf(body) ?? {};
  const assertion = assertionOf(signed);
  if (!isText(label, MAX_LABEL) || !isObject(response) || (signed !== undefined && !assertion) || Object.keys(rest).length > 0)
    return undefined;
  return { label, response, ...(assertion && { assertion }) };
}
/** Without an assertion it is refused, and that is recorded. */
function removalIn(body: unknown): Omit<Removing, 'id'> | undefined {
  const { offer = '', assertion: signed, ...rest } = bodyOf(body) ?? { no: 'body' };
  const assertion = assertionOf(signed);
  if (typeof offer !== 'string' || (signed !== undefined && !assertion) || Object.keys(rest).length > 0) return undefined;
  return { offer, ...(assertion && { assertion }) };
}
function actIn(body: unknown): Act | undefined {
  const { act, id, credential, label, offer, ...rest } = bodyOf(body) ?? {};
  if (Object.keys(rest).length > 0) return undefined;
  if (act === 'remove' && isText(id, 64))
    return credential === undefined && label === undefined && offer === undefined ? { act, id } : undefined;
  if (act !== 'register' || id !== undefined) return undefined;
  return isText(credential, 2_048) && isText(label, MAX_LABEL) && isText(offer, 512) ? { act, credential, label, offer } : undefined;
}
