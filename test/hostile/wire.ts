/** HTTP by hand: bytes as they are, and what comes back. */
import { connect, type Socket } from 'node:net';
import type { Rig } from '../support/rig.ts';

export interface Reply {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}
export interface Talk {
  readonly replies: readonly Reply[];
  /** Bytes that are no reply. */
  readonly rest: string;
  readonly closed: boolean;
}
export const open = (rig: Rig): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(rig.issuer);
    const socket = connect(Number(port), hostname);
    socket.once('connect', () => resolve(socket)).once('error', reject);
    socket.setNoDelay(true);
  });

/** Sends the bytes and listens until the other side closes or has been silent for `quietMs`, with `atLeast` replies whole. */
export async function say(
  rig: Rig,
  bytes: string | Buffer | readonly (string | Buffer)[],
  options: { readonly atLeast?: number; readonly quietMs?: number } = {},
): Promise<Talk> {
  const { atLeast = 1, quietMs = 60 } = options;
  const socket = (await open(rig)).setEncoding('latin1');
  let text = '';
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout | undefined;
    const done = (closed: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ ...parse(text), closed });
    };
    const wait = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => done(false), parse(text).replies.length >= atLeast ? quietMs : 5_000);
    };
    socket.on('data', (chunk) => {
      text += chunk;
      wait();
    });
    socket.on('error', () => done(true)).on('end', () => done(true));
    wait();
    for (const part of typeof bytes === 'string' || Buffer.isBuffer(bytes) ? [bytes] : bytes) socket.write(part);
  });
}

function parse(text: string): { replies: Reply[]; rest: string } {
  const replies: Reply[] = [];
  let rest = text;
  for (;;) {
    const end = rest.indexOf('\r\n\r\n');
    const [line = '', ...lines] = rest.slice(0, Math.max(end, 0)).split('\r\n');
    const status = /^HTTP\/1\.1 (\d{3}) /.exec(line)?.[1];
    if (end < 0 || status === undefined) return { replies, rest };
    const headers = new Map(
      lines.map((each) => [each.slice(0, each.indexOf(':')).toLowerCase(), each.slice(each.indexOf(':') + 1).trim()]),
    );
    const interim = status.startsWith('1') || status === '204' || status === '304';
    const length = interim ? 0 : Number(headers.get('content-length') ?? rest.length);
    if (rest.length < end + 4 + length) return { replies, rest };
    replies.push({ status: Number(status), headers, body: rest.slice(end + 4, end + 4 + length) });
    rest = rest.slice(end + 4 + length);
  }
}

/** A good exchange as text; whatever is given replaces a line, adds some, or stands before it. */
export interface Shape {
  readonly line?: string;
  /** Header lines as they are, in place of the usual ones of the same name (null: left out), in this order. */
  readonly headers?: readonly (readonly [name: string, value: string | null])[];
  /** Lines put in as they are, after the headers. */
  readonly lines?: readonly string[];
  readonly body?: (body: string) => string;
  /** `Content-Length` counts what is sent, unless told. */
  readonly length?: (body: string) => string | null;
  readonly eol?: string;
}
export async function request(rig: Rig, shape: Shape = {}): Promise<string> {
  const { line = 'POST /token HTTP/1.1', eol = '\r\n' } = shape;
  const form = await rig.form();
  const body = shape.body ? shape.body(form.body) : form.body;
  const length = shape.length ? shape.length(body) : String(Buffer.byteLength(body));
  const usual: [string, string | null][] = [
    ['Host', new URL(rig.issuer).host],
    ['Content-Type', 'application/x-www-form-urlencoded'],
    ['DPoP', String(form.headers['dpop'])],
    ['Content-Length', length],
  ];
  const mine = shape.headers ?? [];
  const named = new Set(mine.map(([name]) => name.toLowerCase()));
  const headers = [...usual.filter(([name]) => !named.has(name.toLowerCase())), ...mine].filter((pair) => pair[1] !== null);
  return [line, ...headers.map(([name, value]) => `${name}: ${value}`), ...(shape.lines ?? []), '', body].join(eol);
}
