/** How scripts speak to a running broker: JSON over its operator socket, and words for what keeps them from it. */
import { request } from 'node:http';

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}
export type OperatorClient = (method: 'GET' | 'POST', path: string, body?: object) => Promise<Answer>;

/** Of a list that may be long: so few that no answer is too large. */
const ROWS = 200;
/** All of a list, part after part, under `name`; what else stands in the first part; or the first answer that is none. */
export async function wholeList(ask: OperatorClient, path: string, name: string): Promise<Answer> {
  const rows: unknown[] = [];
  let first: object = {};
  for (let after: string | undefined; ; ) {
    const query = `${path.includes('?') ? '&' : '?'}limit=${ROWS}${after === undefined ? '' : `&after=${after}`}`;
    const answer = await ask('GET', `${path}${query}`);
    if (answer.status !== 200) return answer;
    const { next, [name]: some, ...rest } = answer.body as Readonly<Record<string, unknown>>;
    if (after === undefined) first = rest;
    rows.push(...(some as readonly unknown[]));
    if (typeof next !== 'string') return { status: 200, body: { ...first, [name]: rows } };
    after = next;
  }
}

/** The broker did not answer. The message is for people, with what to do. */
export class Unreachable extends Error {
  readonly code: 'no_socket' | 'not_allowed' | 'not_running' | 'no_answer';
  constructor(code: Unreachable['code'], message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}
const MAX_ANSWER_BYTES = 8 * 1024 * 1024;

/** One request a call; throws Unreachable. `socket`: the path of `operator.socket` in the broker's configuration. */
export function operatorClient(options: { readonly socket: string; readonly timeoutMs?: number }): OperatorClient {
  const { socket, timeoutMs = 30_000 } = options;
  return (method, path, body) =>
    new Promise((resolve, reject) => {
      const text = method === 'POST' ? JSON.stringify(body ?? {}) : undefined;
      const headers = {
        accept: 'application/json',
        ...(text !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
      };
      const fail = (fault: unknown): void => reject(unreachable(fault, socket));
      const signal = AbortSignal.timeout(timeoutMs);
      const asked = request({ socketPath: socket, method, path, headers, signal, agent: false }, (answer) => {
        const parts: Buffer[] = [];
        let size = 0;
        answer.on('error', fail);
        answer.on('data', (part: Buffer) => {
          parts.push(part);
          size += part.length;
          if (size > MAX_ANSWER_BYTES) answer.destroy(new Error('too large'));
        });
        answer.on('end', () => {
          try {
            const whole = Buffer.concat(parts).toString('utf8');
            resolve({ status: answer.statusCode ?? 0, body: whole === '' ? undefined : (JSON.parse(whole) as unknown) });
          } catch (fault) {
            fail(fault);
          }
        });
      });
      asked.on('error', fail);
      asked.end(text);
    });
}

function unreachable(fault: unknown, socket: string): Unreachable {
  const code = fault instanceof Error && 'code' in fault ? fault.code : undefined;
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return new Unreachable(
        'no_socket',
        `There is no socket at ${socket}. Is the broker running? Start it with \`npm start\`, or name its socket: --socket data/dev/operator.sock for \`npm start -- --dev\`.`,
        fault,
      );
    case 'EACCES':
    case 'EPERM':
      return new Unreachable(
        'not_allowed',
        `You may not open ${socket}: it belongs to the system user that runs the broker. Run this as that user, or as root.`,
        fault,
      );
    case 'ECONNREFUSED':
      return new Unreachable(
        'not_running',
        `Nobody answers at ${socket}: the broker that made it has stopped. Start it with \`npm start\`.`,
        fault,
      );
    default:
      return new Unreachable(
        'no_answer',
        `The broker at ${socket} gave no answer that can be read. Look at its log, then try again.`,
        fault,
      );
  }
}
