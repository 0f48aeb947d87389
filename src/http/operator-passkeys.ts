import type { FastifyInstance } from 'fastify';
import { refuse } from '../errors.ts';
import type { Passkeys } from '../operate/passkeys.ts';
import { isObject, type JsonObject, parseJson } from '../wire/json.ts';
import { JSON_TYPE } from './documents.ts';
import { operatorRefusal } from './operator-answer.ts';
import { operatorOf } from './operator-guard.ts';

const MAX_LABEL = 64;

/**
 * The passkeys of whoever has logged in, their own alone (role `self`). Never on the local socket: nobody else registers what stands for a person.
 *
 * - GET /operator/passkeys → `{ usable, passkeys: [{ id, label, made, used? }] }`; not `usable`: the console is open under an address, not a name;
 * - POST /operator/passkeys/options `{}` → `{ options }` for `startRegistration({ optionsJSON: options })` of @simplewebauthn/browser;
 * - POST /operator/passkeys `{ label, response }` with what that returned → the passkey;
 * - POST /operator/passkeys/:id/remove `{}` → the passkey as it was; what it signed stays proved.
 *
 * A vote that needs one: POST /operator/approvals/:id/challenge `{ steps? }` (or /operator/confirmations/…) → `{ options, signed, salt, arguments_digest }`,
 * then `startAuthentication({ optionsJSON: options })`, whose answer is the vote's `assertion`.
 */
export function passkeyEndpoints(server: FastifyInstance, passkeys: Passkeys): void {
  const own = { config: { roles: ['self'] } } as const;
  const deed = { config: { roles: ['self'], body: JSON_TYPE } } as const;
  server.get('/operator/passkeys', own, async (request) => passkeys.list(operatorOf(request).name));
  server.post('/operator/passkeys/options', deed, async (request, reply) => {
    const offered = await passkeys.offer(operatorOf(request).name);
    return offered.ok ? { options: offered.value } : operatorRefusal(reply, offered.error);
  });
  server.post('/operator/passkeys', deed, async (request, reply) => {
    const asked = registrationOf(request.body);
    if (!asked) return operatorRefusal(reply, refuse('request_malformed').error);
    const outcome = await passkeys.register(operatorOf(request).name, asked.response, asked.label);
    return outcome.ok ? outcome.value : operatorRefusal(reply, outcome.error);
  });
  server.post<{ Params: { id: string } }>('/operator/passkeys/:id/remove', deed, async (request, reply) => {
    const outcome = await passkeys.remove(operatorOf(request).name, request.params.id);
    return outcome.ok ? outcome.value : operatorRefusal(reply, outcome.error);
  });
}
/** Closed but for what the browser says. */
function registrationOf(body: unknown): { readonly label: string; readonly response: JsonObject } | undefined {
  const parsed = parseJson(typeof body === 'string' ? body : '', 64 * 1024);
  if (!parsed.ok || !isObject(parsed.value)) return undefined;
  const { label, response, ...rest } = parsed.value;
  if (typeof label !== 'string' || label.trim() === '' || label.length > MAX_LABEL || Object.keys(rest).length > 0) return undefined;
  return isObject(response) ? { label, response } : undefined;
}
