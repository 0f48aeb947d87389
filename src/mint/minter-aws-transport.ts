/**
 * How bytes reach STS: what the SDK sends through in place of its own HTTP. One host, no redirect, certificates verified whatever the
 * environment says, an end to every call and to every body. May not know what is asked.
 */
import { Agent as HttpAgent, type IncomingMessage, request as overHttp } from 'node:http';
import { Agent as HttpsAgent, request as overHttps } from 'node:https';
import { Unavailable } from '../errors.ts';

export type AwsFlaw =
  | 'aws_network'
  | 'aws_deadline'
  | 'aws_redirect'
  | 'aws_size'
  | 'aws_form' // not the XML that STS answers with
  | 'aws_status' // unwell
  | 'aws_keys' // none to sign with
  | 'aws_end'; // it ends at a time that was not asked for
/** Nobody can know what STS did. `code` says what was seen, and nothing of what was said. */
export class AwsFault extends Unavailable {
  readonly code: AwsFlaw;
  constructor(code: AwsFlaw) {
    super('aws', code);
    this.code = code;
  }
}

export interface Sending {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}
export interface Received {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}
export interface Transport {
  /** Throws AwsFault. */
  send(sending: Sending, signal: AbortSignal): Promise<Received>;
  /** Whether anything that is not unwell answers there. Never throws. */
  reach(signal: AbortSignal): Promise<boolean>;
}

/** Open at once; more wait their turn, within their deadline. */
const CONNECTIONS = 64;
/** An idle connection is closed before STS or a proxy would do it under a request. */
const IDLE_MS = 4_000;
/** A session's keys and token are below 16 KB. */
const MAX_ANSWER_BYTES = 64 * 1024;

/** `endpoint` is https, or http on loopback. */
export function awsTransport({ endpoint }: { readonly endpoint: string }): Transport {
  const base = new URL(endpoint);
  const secure = base.protocol === 'https:';
  const keep = { keepAlive: true, maxSockets: CONNECTIONS, timeout: IDLE_MS };
  // Explicit, so that NODE_TLS_REJECT_UNAUTHORIZED has no say.
  const agent = secure ? new HttpsAgent({ ...keep, rejectUnauthorized: true, minVersion: 'TLSv1.2' }) : new HttpAgent(keep);
  const request = secure ? overHttps : overHttp;

  const open = ({ method, path, headers, body }: Sending, signal: AbortSignal): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const to = { agent, hostname: base.hostname.replace(/^\[|\]$/g, ''), port: base.port, method, path, signal };
      // What is on its way already is not packed: its size is counted as it arrives.
      request({ ...to, headers: { ...headers, host: base.host, 'accept-encoding': 'identity' } })
        .once('response', resolve)
        .once('error', reject)
        // Also without an error: another protocol was offered.
        .once('close', () => reject(new AwsFault('aws_network')))
        .end(body);
    });
  const faulted = (fault: unknown, signal: AbortSignal): AwsFault =>
    fault instanceof AwsFault ? fault : new AwsFault(signal.aborted ? 'aws_deadline' : 'aws_network');

  return {
    async send(sending, signal) {
      try {
        const response = await open(sending, signal);
        return { status: response.statusCode ?? 0, headers: plain(response), body: await read(response) };
      } catch (fault) {
        throw faulted(fault, signal);
      }
    },
    async reach(signal) {
      try {
        const response = await open({ method: 'GET', path: base.pathname, headers: {} }, signal);
        response.destroy();
        return (response.statusCode ?? 500) < 500;
      } catch {
        return false;
      }
    },
  };
}

async function read(response: IncomingMessage): Promise<Uint8Array> {
  const flaw = flawOf(response);
  if (flaw) {
    response.destroy();
    throw new AwsFault(flaw);
  }
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > MAX_ANSWER_BYTES) throw new AwsFault('aws_size'); // leaving the loop ends the connection
    parts.push(part);
  }
  return Buffer.concat(parts);
}
function flawOf({ statusCode: status = 0, headers }: IncomingMessage): AwsFlaw | undefined {
  // A login goes to the host it was meant for and to no other.
  if (status < 200 || (status >= 300 && status < 400)) return 'aws_redirect';
  // A balancer before STS says so in a language of its own.
  if (status === 429) return undefined;
  const xml = /^(?:text|application)\/xml(?:\s*;|$)/i.test(headers['content-type'] ?? '');
  return xml && headers['content-encoding'] === undefined ? undefined : 'aws_form';
}
const plain = ({ headers }: IncomingMessage): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])));
