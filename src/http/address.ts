import { chmodSync, lstatSync, mkdirSync, unlinkSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { dirname } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { ConfigError } from '../errors.ts';

/** The smallest of the platforms' limits for a Unix socket's path. */
const MAX_SOCKET_BYTES = 103;
const SOCKET = {
  long: 'operator.socket: the path is longer than a Unix socket may have, 103 bytes',
  foreign: 'operator.socket: a file that is no socket stands there; name another path',
  answered: 'operator.socket: another broker answers there; stop it, or name another path',
} as const;

/** Asked before anything is written, so that a broker which could not listen leaves no trace. Throws ConfigError with every problem. */
export async function checkAddresses(listen: { readonly host: string; readonly port: number }, socket: string): Promise<void> {
  const problems = [await addressProblem(listen), await socketProblem(socket)].filter((problem) => problem !== undefined);
  if (problems.length > 0) throw new ConfigError(problems);
}

/** Listens 0600 from the first moment on. What a killed broker left there is removed. Throws ConfigError. */
export async function listenOnSocket(server: FastifyInstance, path: string): Promise<void> {
  const problem = await socketProblem(path);
  if (problem !== undefined) throw new ConfigError([problem]);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  if (lstatSync(path, { throwIfNoEntry: false })) unlinkSync(path);
  const before = process.umask(0o177);
  try {
    await server.listen({ path });
  } finally {
    process.umask(before);
  }
  chmodSync(path, 0o600);
}

/** Between two looks for connections that have had their last answer. */
const SWEEP_MS = 50;
/** Answers what is under way. No connection outlives its answer: one that is kept alive would hold the process for the whole of its time-out. */
export async function closeServer(server: FastifyInstance): Promise<void> {
  const sweep = setInterval(() => server.server.closeIdleConnections(), SWEEP_MS);
  try {
    await server.close();
  } finally {
    clearInterval(sweep);
  }
}

function addressProblem({ host, port }: { readonly host: string; readonly port: number }): Promise<string | undefined> {
  const probe = createServer();
  return new Promise((resolve) => {
    probe.once('error', (fault: NodeJS.ErrnoException) => {
      if (fault.code === 'EADDRINUSE')
        resolve('listen: the address is in use; stop what listens there, or set listen.host and listen.port');
      else if (fault.code === 'EACCES') resolve('listen: this user may not listen there; set listen.port above 1023');
      else resolve('listen: this machine has no such address; set listen.host');
    });
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve(undefined)));
  });
}
async function socketProblem(path: string): Promise<string | undefined> {
  if (Buffer.byteLength(path) > MAX_SOCKET_BYTES) return SOCKET.long;
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (!there) return undefined;
  // Whatever else stands there was not left by a broker, and is not ours to remove.
  if (!there.isSocket()) return SOCKET.foreign;
  return (await answers(path)) ? SOCKET.answered : undefined;
}
const answers = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
