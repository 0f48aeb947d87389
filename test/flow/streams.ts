/** What comes bit by bit over an operator's socket. */
import { request } from 'node:http';

/** Everything that comes within the time, or until it ends. */
export function stream(
  socket: string,
  path: string,
  ms: number,
  headers: Record<string, string> = {},
): Promise<{ status: number; text: string; ended: boolean }> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath: socket, path, headers }, (answer) => {
      let text = '';
      const done = (ended: boolean): void => {
        asked.destroy();
        resolve({ status: answer.statusCode ?? 0, text, ended });
      };
      answer.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      answer.on('end', () => done(true)).on('error', () => done(false));
      setTimeout(() => done(false), ms).unref();
    });
    asked.on('error', reject).end();
  });
}
