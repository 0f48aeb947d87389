/** Requests over raw keep-alive sockets: a load generator that costs less than what it loads. */
import { connect, type Socket } from 'node:net';
import { metronome } from './metronome.ts';

export interface Drive {
  /** All of them, `inFlight` at a time; answers the statuses by count. */
  closed(requests: readonly Buffer[], inFlight: number): Promise<ReadonlyMap<number, number>>;
  /** Each at its time (ms from now), whatever became of those before it; answers latencies in ms from the time it was due. */
  open(
    requests: readonly Buffer[],
    dueMs: readonly number[],
    inFlight: number,
  ): Promise<{ readonly latencies: readonly number[]; readonly statuses: ReadonlyMap<number, number> }>;
  close(): void;
}
interface Line {
  send(request: Buffer): Promise<number>;
  /** The other side has not hung up: servers do after a while of silence. */
  readonly open: boolean;
}

export function drive(port: number): Drive {
  const sockets: Socket[] = [];
  let lines: Line[] = [];
  const line = async (): Promise<Line> => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    sockets.push(socket);
    await new Promise((done, failed) => socket.once('connect', done).once('error', failed));
    let waiting: { readonly resolve: (status: number) => void; readonly reject: (fault: Error) => void } | undefined;
    let buffered = '';
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      buffered += text;
      const end = buffered.indexOf('\r\n\r\n');
      if (end < 0) return;
      const length = /content-length: (\d+)/i.exec(buffered.slice(0, end))?.[1] ?? '0';
      if (buffered.length < end + 4 + Number(length)) return;
      const status = Number(buffered.slice(9, 12));
      buffered = '';
      const { resolve } = waiting ?? {};
      waiting = undefined;
      resolve?.(status);
    });
    socket.on('close', () => waiting?.reject(new Error('closed')));
    socket.on('error', () => undefined);
    return {
      get open() {
        return !socket.destroyed && socket.writable;
      },
      send: (request) =>
        new Promise((resolve, reject) => {
          waiting = { resolve, reject };
          socket.write(request);
        }),
    };
  };
  const open = async (count: number): Promise<void> => {
    lines = lines.filter((one) => one.open);
    while (lines.length < count) lines.push(await line());
  };
  const counter = (): { readonly statuses: Map<number, number>; readonly note: (status: number) => void } => {
    const statuses = new Map<number, number>();
    return { statuses, note: (status) => void statuses.set(status, (statuses.get(status) ?? 0) + 1) };
  };
  return {
    async closed(requests, inFlight) {
      await open(inFlight);
      const { statuses, note } = counter();
      let next = 0;
      await Promise.all(
        lines.slice(0, inFlight).map(async ({ send }) => {
          for (let request = requests[next++]; request; request = requests[next++]) note(await send(request));
        }),
      );
      return statuses;
    },
    async open(requests, dueMs, inFlight) {
      await open(inFlight);
      const { statuses, note } = counter();
      const latencies: number[] = [];
      const idle = [...lines];
      let beats: ReturnType<typeof metronome> | undefined;
      const began = performance.now();
      let next = 0;
      await new Promise<void>((done, failed) => {
        let left = requests.length;
        const pump = (): void => {
          // A beat may be some µs early.
          const now = performance.now() - began + 0.2;
          while (next < requests.length && (dueMs[next] ?? 0) <= now && idle.length > 0) {
            // In turn, so that none falls silent long enough to be hung up on.
            const [request, due, free] = [requests[next], dueMs[next] ?? 0, idle.shift()];
            next++;
            if (!request || !free) continue;
            free.send(request).then((status) => {
              latencies.push(performance.now() - began - due);
              note(status);
              idle.push(free);
              if (--left === 0) done();
              else pump();
            }, failed);
          }
        };
        beats = metronome(dueMs, pump);
      }).finally(() => beats?.stop());
      return { latencies, statuses };
    },
    close: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
}
