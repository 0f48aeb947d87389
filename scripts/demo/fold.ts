/** An HTTP exchange in a few lines: what was asked, what came back, nothing else. */
import type { JsonObject } from '../../src/wire/json.ts';
import type { Folded } from './narrator.ts';
import { jsonOf, payloadOf, type Recorded } from './recorder.ts';

const brief = (value: unknown): string =>
  typeof value === 'object' && value !== null
    ? `{ ${Object.entries(value)
        .map(([k, v]) => `${k}: ${typeof v === 'string' ? v : JSON.stringify(v)}`)
        .join(', ')} }`
    : String(value);
export const short = (text: string, head = 14): string => (text.length > head + 6 ? `${text.slice(0, head)}…${text.slice(-4)}` : text);

export function fold(exchange: Recorded): Folded {
  const path = new URL(exchange.url).pathname;
  const body = jsonOf(exchange.answer);
  if (path === '/token')
    return { request: tokenRequest(exchange), ...tokenSent(exchange), status: exchange.status, answer: tokenAnswer(body) };
  const rpc = jsonOf(exchange.body);
  const params = (rpc['params'] ?? {}) as JsonObject;
  const call = rpc['method'] === 'tools/call' ? ` ${String(params['name'])} ${brief(params['arguments'] ?? {})}` : '';
  return {
    request: `${exchange.method} ${path}  ${String(rpc['method'] ?? '')}${call}`,
    ...(exchange.headers['authorization'] !== undefined && {
      sent: [
        `Authorization: ${short(exchange.headers['authorization'], 20)}${exchange.headers['dpop'] ? `   DPoP: ${short(exchange.headers['dpop'], 12)}` : ''}`,
      ],
    }),
    status: exchange.status,
    answer: mcpAnswer(body),
  };
}

function tokenRequest(exchange: Recorded): string {
  const form = new URLSearchParams(exchange.body);
  const details = form.get('authorization_details');
  if (details === null) return 'POST /token  a base token, to list tools';
  const [entry] = JSON.parse(details) as [{ readonly identifier: string; readonly arguments: object }];
  return `POST /token  ${entry.identifier} ${brief(entry.arguments)}`;
}
function tokenSent(exchange: Recorded): { readonly sent?: readonly string[] } {
  const form = new URLSearchParams(exchange.body);
  const details = form.get('authorization_details');
  const client = payloadOf(form.get('client_assertion') ?? '..')['sub'];
  const subject = form.get('subject_token');
  const whom = subject
    ? `for ${String(payloadOf(subject)['name'] ?? payloadOf(subject)['sub'])}, by their ${form.get('subject_token_type')?.split(':').pop()}`
    : 'for itself';
  const why = details ? (JSON.parse(details) as [{ readonly purpose?: string }])[0].purpose : undefined;
  return { sent: [`${String(client)} proves itself (private_key_jwt + DPoP), ${whom}`, ...(why ? [`purpose “${why}”`] : [])] };
}
function tokenAnswer(body: JsonObject): string {
  if (typeof body['access_token'] === 'string')
    return `${String(body['token_type'])} token ${short(body['access_token'])} for ${String(body['scope'])}, ${String(body['expires_in'])} s`;
  if (body['error'] === 'use_dpop_nonce') return 'use_dpop_nonce — sign again with the nonce of this answer';
  const remedy = body['remedy'] as { readonly text: string } | undefined;
  return `${String(body['error'])}${body['reason'] ? ` · ${String(body['reason'])}` : ''}${remedy ? ` — ${remedy.text}` : ''}`;
}
function mcpAnswer(body: JsonObject): string {
  const result = body['result'] as JsonObject | undefined;
  if (result) {
    const [content] = (result['content'] ?? []) as readonly [{ readonly text?: string }?];
    return (
      content?.text ?? (result['tools'] ? (result['tools'] as readonly { readonly name: string }[]).map((t) => t.name).join(', ') : 'ok')
    );
  }
  const error = body['error'] as JsonObject | undefined;
  return error
    ? `${String((error['data'] as JsonObject | undefined)?.['error'] ?? error['code'] ?? '')} — ${String(error['message'] ?? '')}`
    : '';
}
