import { type Result, refuse } from '../errors.ts';
import type { Action, Draft, Tool, ToolServer } from '../model.ts';
import type { ExchangeRequest } from '../request.ts';
import { parseDetails, type ToolCall } from '../wire/details.ts';
import type { Json, JsonObject } from '../wire/json.ts';
import { SCOPE_LIST } from '../wire/oauth.ts';
import { ok } from '../wire/result.ts';

const MAX_RESOURCE = 512;
type Notes = Pick<Draft, 'note'>;

/** What is asked for, noted before anybody is proved: a refused subject's entry tells what was wanted (house.md, denials as rich as grants). */
export function noteTarget(request: Pick<ExchangeRequest, 'kind' | 'resource'>, draft: Notes): void {
  const { kind, resource } = request;
  draft.note({ credential: kind, ...(resource.length <= MAX_RESOURCE && resource.isWellFormed() && { resource }) });
}

/**
 * A base token: no details, and a scope that asks for the list, as the default does where none is named (RFC 6749 §3.3: stock MCP clients
 * name none). Other scopes are dropped (wire.md §3).
 */
export const asksForList = (request: Pick<ExchangeRequest, 'details' | 'scope'>): boolean =>
  request.details === undefined && (request.scope ?? SCOPE_LIST).split(' ').includes(SCOPE_LIST);

/**
 * Details, tool and strict arguments (wire.md §3, §4); notes each as it is learnt. Errors: `details_bad`, `tool_unknown`, `arguments_bad`
 * with the schema's own code.
 */
export function readAction(
  request: ExchangeRequest,
  server: ToolServer,
  fingerprint: (args: JsonObject) => string,
  draft: Notes,
): Result<Action> {
  if (request.details === undefined) return ok({ kind: 'list' });
  const read = parseDetails(request.details, server.resource);
  return read.ok ? readCall(read.value, server, fingerprint, draft) : refuse('details_bad', { detail: read.error });
}
/** The same of one call that has been read. */
export function readCall(
  call: ToolCall,
  server: ToolServer,
  fingerprint: (args: JsonObject) => string,
  draft: Notes,
): Result<Extract<Action, { readonly kind: 'call' }>> {
  const { arguments: args, purpose, context } = call;
  draft.note({
    tool: call.tool,
    ...(args && { arguments: fingerprint(args) }),
    ...(purpose !== undefined && { purpose }),
    ...(context && { context: { ...context } }),
  });
  const tool = server.tools.get(call.tool);
  if (!tool) return refuse('tool_unknown');
  if (!args) return tool.hidden ? ok({ kind: 'call', call, tool }) : refuse('arguments_bad', { detail: 'arguments_absent' });
  const offence = tool.check(args);
  if (offence !== undefined) return refuse('arguments_bad', { detail: offence });
  draft.note({ recorded: recordable(tool, args) });
  return ok({ kind: 'call', call, tool });
}

const recordable = (tool: Tool, args: JsonObject): JsonObject =>
  Object.fromEntries(tool.recordable.filter((name) => Object.hasOwn(args, name)).map((name) => [name, args[name] as Json]));
