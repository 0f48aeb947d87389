/** A small broker for scripts to speak to: the keys of the operator API on a Unix socket, over a store in memory and a clock that is moved. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toWire } from '../../src/errors.ts';
import { STEPS } from '../../src/keys/rotation.ts';
import { openSecret } from '../../src/keys/secret-file.ts';
import { type LocalSigner, localSigner } from '../../src/keys/signer-local.ts';
import { createKeys, type Keys } from '../../src/operate/keys.ts';
import { createRecord } from '../../src/record/record.ts';
import { isObject, parseJson } from '../../src/wire/json.ts';
import { type MemoryStore, memoryStore } from './memory-store.ts';
import { type TestWorld, testWorld } from './test-world.ts';

export interface OperatorSocket {
  readonly socket: string;
  readonly keys: Keys;
  readonly signer: LocalSigner;
  readonly store: MemoryStore;
  readonly world: TestWorld;
  /** Seen around each request: what a test does between arrival, effect and answer. */
  around: { before?: (path: string) => void; after?: (path: string) => void };
  close(): Promise<void>;
}

export async function operatorSocket(timing: LocalSigner['timing']): Promise<OperatorSocket> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-socket-'));
  const socket = join(folder, 'operator.sock');
  const world = testWorld();
  const store = memoryStore({ now: world.now });
  const secret = openSecret({ value: Buffer.alloc(32, 7).toString('base64url') });
  const signer = await localSigner({ ring: 'tokens', store, secret, algs: ['ES256'], timing, world });
  const record = createRecord({ store, world, deadlineMs: 5000, readers: [], onFault: () => undefined });
  const keys = createKeys({ keeper: signer, record, world });
  await keys.begin();

  async function answer(request: IncomingMessage): Promise<readonly [number, object]> {
    const path = request.url ?? '';
    let text = '';
    for await (const part of request) text += part;
    if (request.method === 'GET' && path === '/operator/keys') return [200, await keys.status()];
    const step = STEPS.find((one) => path === `/operator/keys/${one}`);
    const body = parseJson(text);
    if (request.method !== 'POST' || !step || !body.ok || !isObject(body.value)) return [404, { error: 'not_found' }];
    const { dry_run: dryRun, version } = body.value;
    const outcome = await keys.step(
      step,
      { name: 'maria' },
      { dryRun: dryRun === true, ...(typeof version === 'number' && { expectedVersion: version }) },
    );
    if (outcome.ok) return [200, outcome.value];
    const { status, error, text: description } = toWire(outcome.error.reason);
    return [status, { error, error_description: description, detail: outcome.error.detail }];
  }
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    room.around.before?.(path);
    answer(request)
      .catch((): readonly [number, object] => [503, { error: 'temporarily_unavailable' }])
      .then(([status, body]) => {
        room.around.after?.(path);
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      });
  });
  server.listen(socket);
  await once(server, 'listening');

  const room: OperatorSocket = {
    socket,
    keys,
    signer,
    store,
    world,
    around: {},
    async close() {
      signer.close();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
      rmSync(folder, { recursive: true });
    },
  };
  return room;
}
