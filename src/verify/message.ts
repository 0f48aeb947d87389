/** One JSON-RPC message in front of an MCP server: which token it needs, and what of it may go on. Knows JSON-RPC; may not know a transport. */
import { flawOf, isObject, type Json, type JsonObject, parseJson } from '../wire/json.ts';
import { ACTION_CALL, META_PROOF, META_TOKEN } from '../wire/oauth.ts';
import type { Action } from './action.ts';
import type { HttpRequest } from './credentials.ts';
import type { Refuse } from './refusal.ts';
import type { Admitted, Verifier } from './verify.ts';

export interface MessageRequest {
  /** The raw text where there is one; a value that something else parsed has lost what strictness looks for, but is what the tool gets. */
  readonly body: { readonly text: string } | { readonly value: unknown };
  /** Left out where the transport is not HTTP: then listing is open and a call brings its token in `_meta`. */
  readonly http?: HttpRequest & { readonly mcpMethod?: string | undefined; readonly mcpName?: string | undefined };
}
/** `message` is what the MCP server gets: tokens and proofs are taken out of `_meta`. */
export type Passed =
  | { readonly kind: 'call'; readonly action: Action; readonly message: JsonObject }
  | { readonly kind: 'open'; readonly admitted?: Admitted; readonly message: JsonObject };

/** Arguments of 256 KiB, their `_meta` and the frame. */
export const MAX_BODY_BYTES = 320 * 1024;
const FRAME = new Set(['jsonrpc', 'id', 'method', 'params']);
/** All that a call may hold: `inputResponses` and `requestState` would be input that no digest covers. */
const CALL = new Set(['name', 'arguments', '_meta', 'task']);

/** @throws VerifyError */
export async function checkMessage(verifier: Verifier, request: MessageRequest): Promise<Passed> {
  const { refuse } = verifier;
  const message = readMessage(request.body, refuse);
  const { method } = message;
  const { http } = request;
  const params = message['params'] ?? {};
  if (typeof method === 'string' && !isObject(params)) throw refuse('ERR_REQUEST_FORM');
  if (method === ACTION_CALL && isObject(params)) {
    const name = params['name'];
    if (typeof name !== 'string' || message['id'] === undefined) throw refuse('ERR_REQUEST_FORM');
    compare(http?.mcpMethod, method, refuse);
    compare(http?.mcpName, name, refuse);
    if (!only(FRAME, message) || !only(CALL, params)) throw refuse('ERR_REQUEST_INPUT');
    const meta = params['_meta'];
    const action = await verifier.verify({ tool: name, arguments: params['arguments'], meta, ...(http && { http }) });
    return { kind: 'call', action, message: withoutCredentials(message, params) };
  }
  const admitted = http && (await verifier.admit(http));
  if (!isOpen(verifier, method)) throw refuse('ERR_METHOD_REFUSED');
  compare(http?.mcpMethod, method, refuse);
  return { kind: 'open', message, ...(admitted && { admitted }) };
}

/** What a base token opens. An answer to a question of the server has no method: it would be input that no digest covers. */
export const isOpen = (verifier: Verifier, method: unknown): method is string =>
  typeof method === 'string' && (method.startsWith('notifications/') || verifier.methods.has(method));

function readMessage(body: MessageRequest['body'], refuse: Refuse): JsonObject {
  let value: Json;
  if ('text' in body) {
    const parsed = parseJson(body.text, MAX_BODY_BYTES);
    if (!parsed.ok) throw refuse(parsed.error === 'json_size' ? 'ERR_REQUEST_SIZE' : 'ERR_REQUEST_FORM');
    value = parsed.value;
  } else {
    value = body.value as Json;
    if (value === undefined || flawOf(value)) throw refuse('ERR_REQUEST_FORM');
  }
  if (Array.isArray(value)) throw refuse('ERR_REQUEST_BATCH');
  if (!isObject(value) || value['jsonrpc'] !== '2.0') throw refuse('ERR_REQUEST_FORM');
  return value;
}

/** A proxy may have routed by the header: it must say what the body says. */
function compare(header: string | undefined, body: string | undefined, refuse: Refuse): void {
  if (header !== undefined && header !== body) throw refuse('ERR_REQUEST_HEADERS');
}
const only = (names: ReadonlySet<string>, object: JsonObject): boolean => Object.keys(object).every((name) => names.has(name));

function withoutCredentials(message: JsonObject, params: JsonObject): JsonObject {
  const meta = params['_meta'];
  if (!isObject(meta)) return message;
  const { [META_TOKEN]: _token, [META_PROOF]: _proof, ...rest } = meta;
  return { ...message, params: { ...params, _meta: rest } };
}
