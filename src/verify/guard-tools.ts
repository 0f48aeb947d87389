/** Around each tool of an MCP server: it runs only in a verified action of its own name, once, and its end is told. Knows no SDK. */

import { VerifyError } from './refusal.ts';
import { currentRun, tell } from './run.ts';

/** What both SDKs' servers have in common here. */
export interface ToolServerLike {
  registerTool: (name: string, config: never, callback: never) => unknown;
  tool?: (name: string, ...rest: never[]) => unknown;
}
type Callback = (...args: readonly unknown[]) => unknown;

/** Wraps every tool registered from now on, so call it before the first. Returns the same server. */
export function guardTools<S extends ToolServerLike>(server: S): S {
  const run = currentRun();
  // A server made for this one call: if its tool has not started when the exchange ends, it never will.
  if (run) run.watched = true;
  for (const name of ['registerTool', 'tool'] as const) {
    const register = server[name] as Callback | undefined;
    if (typeof register !== 'function') continue;
    const guarded: Callback = (...args) => {
      const callback = args.at(-1);
      if (typeof callback !== 'function') throw new TypeError('a guarded tool is a function');
      return register.call(server, ...args.slice(0, -1), guardTool(String(args[0]), callback as Callback));
    };
    Object.defineProperty(server, name, { value: guarded, writable: true, configurable: true });
  }
  return server;
}

function guardTool(name: string, callback: Callback): Callback {
  return async (...args) => {
    const run = currentRun();
    // Reached by another way than the guard, or a second time in the name of one action: neither may run.
    if (!run || run.started || run.action.tool !== name) throw new VerifyError('ERR_TOOL_UNGUARDED');
    run.started = true;
    try {
      const result = await callback(...args);
      tell(run, isDone(result) ? 'done' : 'failed');
      return result;
    } catch (fault) {
      tell(run, 'failed');
      throw fault;
    }
  };
}

/** A result that reports an error, or that asks for more input, is not the effect. */
function isDone(result: unknown): boolean {
  if (typeof result !== 'object' || result === null) return true;
  const { isError, resultType } = result as { isError?: unknown; resultType?: unknown };
  return isError !== true && resultType !== 'input_required';
}
