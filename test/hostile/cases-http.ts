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
const chunked = (body: string, extension = ''): string => `${body.length.toString(16)}${extension}\r\n${body}\r\n0\r\n\r\n`;
const coding = (value: string | null): Headers => [
  ...(value === null ? [] : ([['Transfer-Encoding', value]] as Headers)),
  ['Content-Length', null],
];
const TE = coding('chunked');
const FORM = 'application/x-www-form-urlencoded';

const method = { status: 405, error: 'invalid_request', counted: true } as const;
const media = { status: 415, error: 'invalid_request', counted: true } as const;
const size = { status: 413, error: 'invalid_request', counted: true, closed: true } as const;
const broken = { status: 400, error: 'invalid_request', counted: true, closed: true } as const;
const version = { status: 505, error: 'invalid_request', counted: true } as const;
const nothing = { status: 404, error: 'not_found', counted: true } as const;
const headers431 = { status: 431, error: 'invalid_request', counted: true, closed: true } as const;
const twice = { status: 400, error: 'invalid_request', reason: 'request_malformed', detail: 'header_duplicate' } as const;
const good = { status: 200 } as const;

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

export const framingCases: readonly RawCase[] = [
  { name: 'Transfer-Encoding and Content-Length', shape: { headers: [['Transfer-Encoding', 'chunked']], body: chunked }, ...broken },
  {
    name: 'Content-Length and a smuggled request in chunks',
    shape: { headers: [['Transfer-Encoding', 'chunked']], body: () => '0\r\n\r\nGET /jwks HTTP/1.1\r\nHost: x\r\n\r\n' },
    ...broken,
  },
  { name: 'Transfer-Encoding: identity and Content-Length', shape: { headers: [['Transfer-Encoding', 'identity']] }, ...broken },
  {
    name: 'gzip, chunked',
    shape: { headers: coding('gzip, chunked'), body: chunked },
    status: 501,
    error: 'invalid_request',
    counted: true,
    closed: true,
  },
  {
    name: 'x, chunked',
    shape: { headers: coding('x, chunked'), body: chunked },
    status: 501,
    error: 'invalid_request',
    counted: true,
    closed: true,
  },
  ...['xchunked', 'chunked;q=1', '"chunked"'].map(
    (value): RawCase => ({
      name: `Transfer-Encoding: ${value}, whose end nobody knows`,
      shape: { headers: coding(value), body: chunked },
      status: 501,
      error: 'invalid_request',
      counted: true,
      closed: true,
    }),
  ),
  ...['chunked, gzip', 'chunked, chunked', ''].map(
    (value): RawCase => ({
      name: `Transfer-Encoding: ${JSON.stringify(value)}`,
      shape: { headers: coding(value), body: chunked },
      ...broken,
    }),
  ),
  {
    name: 'Transfer-Encoding with a space before its colon',
    shape: { headers: coding(null), lines: ['Transfer-Encoding : chunked'], body: chunked },
    ...broken,
  },
  {
    name: 'Transfer-Encoding folded',
    shape: { headers: coding(null), lines: ['Transfer-Encoding:', ' chunked'], body: chunked },
    ...broken,
  },
  {
    name: 'Transfer-Encoding after a vertical tab',
    shape: { headers: coding(null), lines: ['Transfer-Encoding: \x0bchunked'], body: chunked },
    ...broken,
  },
  { name: 'chunked in capitals', shape: { headers: coding('CHUNKED'), body: chunked }, ...good },
  { name: 'chunks', shape: { headers: TE, body: chunked }, ...good },
  { name: 'a short chunk extension', shape: { headers: TE, body: (b) => chunked(b, ';a=b') }, ...good },
  { name: 'a chunk extension of 20 KB', shape: { headers: TE, body: (b) => chunked(b, `;a=${'x'.repeat(20_000)}`) }, ...broken },
  { name: 'a chunk extension with a line feed', shape: { headers: TE, body: (b) => chunked(b, ';a\nb') }, ...broken },
  { name: 'a chunk size that is none', shape: { headers: TE, body: () => 'zz\r\nabc\r\n0\r\n\r\n' }, ...broken },
  { name: 'a negative chunk size', shape: { headers: TE, body: () => '-1\r\nabc\r\n0\r\n\r\n' }, ...broken },
  { name: 'a chunk size beyond 64 bits', shape: { headers: TE, body: () => 'fffffffffffffffff\r\nabc' }, ...broken },
  { name: 'a chunk size with 0x', shape: { headers: TE, body: (b) => `0x${chunked(b)}` }, ...broken },
  { name: 'a chunk size with a plus', shape: { headers: TE, body: (b) => `+${chunked(b)}` }, ...broken },
  { name: 'chunks with bare line feeds', shape: { headers: TE, body: (b) => `${b.length.toString(16)}\n${b}\n0\n\n` }, ...broken },
  {
    name: 'a chunk that is longer than it says',
    shape: { headers: TE, body: (b) => `${b.length.toString(16)}\r\n${b}x\r\n0\r\n\r\n` },
    ...broken,
  },
  {
    name: 'trailers are nobody’s headers',
    shape: { headers: TE, body: (b) => `${b.length.toString(16)}\r\n${b}\r\n0\r\nAuthorization: Bearer x\r\nDPoP: y\r\n\r\n` },
    ...good,
  },
  ...['+5', '-5', '0x10', '5 5', '5, 5', '5;', '', '99999999999999999999', '1e3', '5.0', '\u0665'].map(
    (length): RawCase => ({ name: `Content-Length: ${JSON.stringify(length)}`, shape: { length: () => length }, ...broken }),
  ),
  { name: 'lines that end in line feeds', shape: { eol: '\n' }, ...broken },
  { name: 'lines that end in carriage returns', shape: { eol: '\r' }, ...broken },
  { name: 'a carriage return in a header', shape: { lines: ['X: a\rY: b'] }, ...broken },
  { name: 'a line feed in a header', shape: { lines: ['X: a\nY: b'] }, ...broken },
  { name: 'a folded header', shape: { lines: ['X: a', ' b'] }, ...broken },
  { name: 'a folded proof', shape: { headers: [['DPoP', null]], lines: ['DPoP:', '\tabc'] }, ...broken },
  { name: 'a space before the colon', shape: { lines: ['X : a'] }, ...broken },
  { name: 'a space in a name', shape: { lines: ['X Y: a'] }, ...broken },
  { name: 'no name', shape: { lines: [': a'] }, ...broken },
  { name: 'no colon', shape: { lines: ['Xabc'] }, ...broken },
  { name: 'a NUL in a header', shape: { lines: ['X: a\0b'] }, ...broken },
  { name: 'a control in a header', shape: { lines: ['X: a\x01b'] }, ...broken },
  { name: 'a header of 20 KB', shape: { lines: [`X: ${'x'.repeat(20_000)}`] }, ...headers431 },
  { name: '3,000 headers', shape: { lines: Array.from({ length: 3_000 }, (_, i) => `X${i}: a`) }, ...headers431 },
  { name: 'a proof of 17 KB', shape: { headers: [['DPoP', 'e'.repeat(17_000)]] }, ...headers431 },

  { name: 'a body of 1.1 MB', shape: { body: (b) => `${b}&x=${'y'.repeat(1_100_000)}` }, ...size },
  { name: 'a body of 2 MB that never comes', shape: { length: () => '2000000', body: () => 'x' }, ...size },
  { name: 'a body of 4 GB, promised', shape: { length: () => '4294967296', body: () => 'x' }, ...size },
  { name: '1.1 MB in chunks', shape: { headers: TE, body: (b) => chunked(`${b}&x=${'y'.repeat(1_100_000)}`) }, ...size },
  {
    name: '2 MB for a receipt',
    shape: { line: 'POST /receipts HTTP/1.1', headers: [['Content-Type', 'application/jwt']], length: () => '2000000', body: () => 'x' },
    ...size,
  },
];
