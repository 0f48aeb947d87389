/** Between any MCP transport and its server: a call brings its token in `_meta` (wire.md §5, second form). Knows no SDK. */
import { isObject } from '../wire/json.ts';
import { ACTION_CALL } from '../wire/oauth.ts';
import { authInfo } from './auth-info.ts';
import { checkMessage, isOpen, type Passed } from './message.ts';
import { VerifyError } from './refusal.ts';
import { inRun, openRun } from './run.ts';
import type { Verifier } from './verify.ts';

type Id = string | number;
type Receive = (message: unknown, extra?: unknown) => void;
/** What both SDKs' transports have in common. */
export interface TransportLike {
  start(): Promise<void>;
  send(message: unknown, options?: unknown): Promise<void>;
  close(): Promise<void>;
  onclose?: (() => void) | undefined;
  onerror?: ((error: Error) => void) | undefined;
  onmessage?: Receive | undefined;
}

/**
 * For stdio and other transports without HTTP; in front of HTTP stands `guard`, which answers with a status. Listing is open here: whoever
 * holds the other end of the pipe started this server. The guard owns `transport`: connect the server to what is returned.
 */
export function guardTransport(transport: TransportLike, options: { readonly verifier: Verifier }): TransportLike {
  const { verifier } = options;
  /** Calls between their arrival and their tool: true once the caller has gone. */
  const checking = new Map<Id, boolean>();

  const outer: TransportLike = {
    start: () => transport.start(),
    send: (message, sending) => transport.send(message, sending),
    close: () => transport.close(),
  };
  transport.onclose = () => outer.onclose?.();
  transport.onerror = (fault) => outer.onerror?.(fault);
  transport.onmessage = (message, extra) => {
    receive(message, extra).catch((fault: Error) => outer.onerror?.(fault));
  };

  async function receive(message: unknown, extra: unknown): Promise<void> {
    const { id, method, params } = (isObject(message) ? message : {}) as { id?: Id; method?: unknown; params?: { requestId?: Id } };
    if (method === ACTION_CALL && id !== undefined) return call(message, id, extra);
    if (method === 'notifications/cancelled' && checking.has(params?.requestId ?? '')) checking.set(params?.requestId ?? '', true);
    // Synchronous: the order of all that needs no proof stays as it came.
    if (isOpen(verifier, method)) outer.onmessage?.(message, extra);
    else if (id !== undefined && method !== undefined) await transport.send(verifier.refuse('ERR_METHOD_REFUSED').rpc(id));
  }
  async function call(message: unknown, id: Id, extra: unknown): Promise<void> {
    if (checking.has(id)) return transport.send(verifier.refuse('ERR_REQUEST_FORM').rpc(id));
    checking.set(id, false);
    let passed: Passed;
    let gone: boolean;
    try {
      passed = await checkMessage(verifier, { body: { value: message } });
    } catch (fault) {
      if (!(fault instanceof VerifyError)) throw fault;
      return transport.send(fault.rpc(id));
    } finally {
      gone = checking.get(id) === true;
      checking.delete(id);
    }
    if (passed.kind !== 'call') return;
    if (gone) return passed.action.receipt('not_run');
    const run = openRun(passed.action);
    const auth = authInfo(passed, verifier);
    inRun(run, () => outer.onmessage?.(passed.message, { ...(isObject(extra) ? extra : {}), authInfo: auth }));
  }
  return outer;
}
