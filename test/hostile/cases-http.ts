/** Requests as bytes: what a lenient reader would take for something else, and what is simply none. */
import type { Rig } from '../support/rig.ts';
import type { Shape } from './wire.ts';

export interface RawCase {
  readonly name: string;
  readonly shape: Shape | string | ((rig: Rig) => Shape | string);
  /** Nothing: the connection just ends. */
  readonly status: number | undefined;
  readonly error?: string;
  /** Recorded as this; without it there is no entry. */
  readonly reason?: string;
  readonly detail?: string;
  /** The connection is over. */
  readonly closed?: true;
  /** Counted under its status. */
  readonly counted?: true;
}
type Headers = [string, string | null][];
export const chunked = (body: string, extension = ''): string => `${body.length.toString(16)}${extension}\r\n${body}\r\n0\r\n\r\n`;
export const coding = (value: string | null): Headers => [
  ...(value === null ? [] : ([['Transfer-Encoding', value]] as Headers)),
  ['Content-Length', null],
];
export const TE = coding('chunked');
const FORM = 'application/x-www-form-urlencoded';

const method = { status: 405, error: 'invalid_request', counted: true } as const;
const media = { status: 415, error: 'invalid_request', counted: true } as const;
export const size = { status: 413, error: 'invalid_request', counted: true, closed: true } as const;
export const broken = { status: 400, error: 'invalid_request', counted: true, closed: true } as const;
const version = { status: 505, error: 'invalid_request', counted: true } as const;
const nothing = { status: 404, error: 'not_found', counted: true } as const;
export const headers431 = { status: 431, error: 'invalid_request', counted: true, closed: true } as const;
const twice = { status: 400, error: 'invalid_request', reason: 'request_malformed', detail: 'header_duplicate' } as const;
export const good = { status: 200 } as const;

const line = (text: string): Shape => ({ line: text });
const posted = (target: string): Shape => line(`POST ${target} HTTP/1.1`);
const type = (value: string | null): Shape => ({ headers: [['Content-Type', value]] });

export const methodCases: readonly RawCase[] = [
  ...['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND', 'MKCOL', 'SEARCH', 'QUERY'].map(
    (m): RawCase => ({ name: m, shape: line(`${m} /token HTTP/1.1`), ...method }),
  ),
  ...['FOO', 'post', 'Post', 'POST\t', 'P\u0000ST', '"POST"'].map(
    (m): RawCase => ({ name: `the method ${JSON.stringify(m)}`, shape: line(`${m} /token HTTP/1.1`), ...broken }),
  ),
  { name: 'CONNECT', shape: line('CONNECT evil.example:443 HTTP/1.1'), status: undefined, closed: true },
  {
    name: 'a method in a header',
    shape: { line: 'GET /token HTTP/1.1', lines: ['X-HTTP-Method-Override: POST', 'X-Method-Override: POST'] },
    ...method,
  },
  ...['/jwks', '/rar', '/readyz', '/healthz', '/metrics', '/openapi.json', '/.well-known/oauth-authorization-server'].map(
    (path): RawCase => ({ name: `POST ${path}`, shape: posted(path), ...method }),
  ),
  ...['/introspect', '/revoke', '/receipts'].map(
    (path): RawCase => ({ name: `GET ${path}`, shape: line(`GET ${path} HTTP/1.1`), ...method }),
  ),

  { name: 'HTTP/0.9, a line alone', shape: 'POST /token\r\n\r\n', ...version, closed: true },
  { name: 'HTTP/0.9, GET', shape: 'GET /jwks\r\n\r\n', ...version, closed: true },
  { name: 'HTTP/0.9 by name', shape: line('POST /token HTTP/0.9'), ...version, closed: true },
  { name: 'HTTP/2.0 in a line', shape: line('POST /token HTTP/2.0'), ...version, closed: true },
  { name: 'the preface of HTTP/2', shape: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', ...broken },
  ...['HTTP/1.2', 'HTTP/9.9', 'HTTP/1', 'HTTP/1.11', 'http/1.1', 'HTTQ/1.1', 'ICE/1.0x', ''].map(
    (v): RawCase => ({
      name: `version ${JSON.stringify(v)}`,
      shape: line(`POST /token ${v}`),
      ...broken,
    }),
  ),
  { name: 'HTTP/1.0, as old proxies speak', shape: line('POST /token HTTP/1.0'), ...good, closed: true },
  {
    name: 'HTTP/1.0 with chunks, which it does not have',
    shape: { line: 'POST /token HTTP/1.0', headers: TE, body: chunked },
    status: 400,
    error: 'invalid_request',
    closed: true,
  },
  { name: 'TLS', shape: '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', ...broken },
  { name: 'bytes', shape: '\x00\x01\x02\x03', ...broken },
  { name: 'JSON alone', shape: '{"grant_type":"x"}\r\n\r\n', ...broken },
];

export const targetCases: readonly RawCase[] = [
  ...[
    '/token/',
    '//token',
    '/./token',
    '/x/../token',
    '/Token',
    '/token%00',
    '/token;x=1',
    '/token%2f',
    '/%2e/token',
    '/v1/token',
    '/__proto__',
    '/constructor',
    '/..%2f..%2fetc%2fpasswd',
    '/operator/status',
    '/console',
  ].map((target): RawCase => ({ name: `target ${target}`, shape: posted(target), ...nothing })),
  { name: 'a broken escape', shape: posted('/%zz'), status: 400, error: 'invalid_request' },
  { name: 'a space in the target', shape: posted('/tok en'), ...broken },
  { name: 'a tab between', shape: line('POST\t/token\tHTTP/1.1'), ...broken },
  { name: 'a back slash', shape: posted('\\token'), ...broken },
  { name: 'no slash', shape: posted('token'), ...broken },
  { name: 'a target of 20 KB', shape: posted(`/${'x'.repeat(20_000)}`), ...headers431 },
  { name: 'the asterisk', shape: line('OPTIONS * HTTP/1.1'), ...nothing },
  { name: 'a query is nobody’s parameters', shape: posted('/token?grant_type=password&resource=x'), ...good },
  { name: 'the absolute form of a stranger decides nothing', shape: posted('http://evil.example/token'), ...good },
  { name: 'the absolute form of another path', shape: posted('http://evil.example/jwks'), ...nothing },
  { name: 'a stranger’s Host decides nothing', shape: { headers: [['Host', 'evil.example']] }, ...good },
  {
    name: 'forwarding headers decide nothing',
    shape: {
      lines: [
        'X-Forwarded-Host: evil.example',
        'X-Forwarded-Proto: https',
        'Forwarded: host=evil.example;proto=https',
        'X-Original-URL: /jwks',
        'X-Rewrite-URL: /jwks',
      ],
    },
    ...good,
  },
  {
    name: 'an upgrade is not taken',
    shape: { lines: ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__'] },
    ...good,
  },
  {
    name: 'a web socket is not opened',
    shape: { lines: ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Key: AAAA', 'Sec-WebSocket-Version: 13'] },
    ...good,
  },
];

export const mediaCases: readonly RawCase[] = [
  ...[
    'text/plain',
    'application/json',
    'application/jwt',
    'multipart/form-data; boundary=x',
    `${FORM}2`,
    `x${FORM}`,
    '',
    'application/*',
    '*/*',
    `${FORM}, text/plain`,
    `text/plain, ${FORM}`,
    'application/x-www-form-urlencoded+json',
  ].map((t): RawCase => ({ name: `type ${JSON.stringify(t)}`, shape: type(t), ...media })),
  ...['utf-16', 'utf-7', 'iso-8859-1', 'ibm500', 'utf-8x', '', 'utf-8, utf-7', "utf-8'x'"].map(
    (charset): RawCase => ({ name: `charset ${JSON.stringify(charset)}`, shape: type(`${FORM}; charset=${charset}`), ...media }),
  ),
  ...[`${FORM};`, `${FORM}; boundary=x`, `${FORM}; charset=utf-8; charset=utf-7`, `${FORM} charset=utf-8`, `${FORM}; charset="utf-8`].map(
    (t): RawCase => ({ name: `type ${t}`, shape: type(t), ...media }),
  ),
  ...[`${FORM};charset=UTF-8`, `${FORM} ; charset="utf-8"`, FORM.toUpperCase()].map(
    (t): RawCase => ({ name: `the right type, ${t}`, shape: type(t), ...good }),
  ),
  { name: 'no type', shape: type(null), ...media },
  ...['gzip', 'identity', 'deflate', 'br', '', 'gzip, identity', 'x'].map(
    (c): RawCase => ({ name: `Content-Encoding ${JSON.stringify(c)}`, shape: { headers: [['Content-Encoding', c]] }, ...media }),
  ),
];

export const duplicateCases: readonly RawCase[] = [
  ...(
    [
      ['Content-Type', FORM],
      ['Content-Type', 'text/plain'],
      ['content-type', FORM],
      ['DPoP', 'x'],
      ['dpop', ''],
      ['Host', 'evil.example'],
    ] as const
  ).map(
    ([name, value]): RawCase => ({ name: `${name} twice, then ${value || 'empty'}`, shape: { lines: [`${name}: ${value}`] }, ...twice }),
  ),
  { name: 'Idempotency-Key twice', shape: { lines: ['Idempotency-Key: a', 'Idempotency-Key: a'] }, ...twice },
  { name: 'Authorization twice', shape: { lines: ['Authorization: DPoP x', 'Authorization: Bearer y'] }, ...twice },
  {
    name: 'Authorization once',
    shape: { lines: ['Authorization: Bearer y'] },
    status: 401,
    error: 'invalid_client',
    reason: 'client_unauthenticated',
    detail: 'client_secret',
  },
  { name: 'Content-Length twice, the same', shape: { lines: ['Content-Length: 5', 'Content-Length: 5'], length: () => null }, ...broken },
  { name: 'Content-Length twice, another', shape: { lines: ['Content-Length: 5'] }, ...broken },
  { name: 'Content-Encoding twice', shape: { lines: ['Content-Encoding: identity', 'Content-Encoding: identity'] }, ...media },
  { name: 'Transfer-Encoding twice', shape: { headers: TE, lines: ['Transfer-Encoding: chunked'], body: chunked }, ...broken },
  {
    name: 'Transfer-Encoding twice, then identity',
    shape: { headers: TE, lines: ['Transfer-Encoding: identity'], body: chunked },
    ...broken,
  },
  {
    name: 'what nobody reads may stand twice',
    shape: { lines: ['Cookie: a=1', 'Cookie: b=2', 'Accept: */*', 'Accept: text/html', 'Via: 1.1 a', 'Via: 1.1 b'] },
    ...good,
  },
];
