import { type Digest, digest, EMPTY_DIGEST, isDigest } from './digest.ts';
import { isObject, type Json, type JsonFlaw, type JsonObject, parseJson } from './json.ts';
import { ACTION_CALL, DETAILS_TYPE } from './oauth.ts';
import { no, ok, type Result } from './result.ts';

/** One tool call as it stands on the wire (wire.md §3). */
export interface ToolCall {
  readonly resource: string;
  readonly tool: string;
  readonly digest: Digest;
  /** Absent when only the digest was sent (a tool registered `arguments: hidden`). */
  readonly arguments?: JsonObject;
  readonly purpose?: string;
  readonly context?: CallContext;
}
/** Closed: for the ledger and the policy, never trusted. */
export interface CallContext {
  readonly session?: string;
  readonly trace?: string;
  readonly model?: string;
}
export type DetailsFlaw =
  | JsonFlaw
  | 'details_type'
  | 'details_member'
  | 'details_count'
  | 'details_location'
  | 'details_action'
  | 'details_tool'
  | 'digest_mismatch';

const MEMBERS = new Set(['type', 'locations', 'actions', 'identifier', 'arguments', 'arguments_digest', 'purpose', 'context']);
const CONTEXT = new Set(['session', 'trace', 'model']);
const MAX_PURPOSE = 1_000;
const MAX_CONTEXT = 256;
/** MCP tool names, and what can stand in a scope (RFC 6749 §3.3) and a Cedar action alike. */
export const TOOL_NAME = /^[A-Za-z0-9_.-]{1,128}$/;

/** The entry of `authorization_details` that a request carries: exactly one, of our type, closed (RFC 9396 §5). */
export function parseDetails(text: string, resource: string): Result<ToolCall, DetailsFlaw> {
  const parsed = parseJson(text, 320 * 1024);
  if (!parsed.ok) return parsed;
  return readDetails(parsed.value, resource, MEMBERS);
}

/** Several actions that are decided at once (wire.md §3.4). */
export const MAX_STEPS = 20;
/**
 * Each entry of a plan, at the one location that it names: 1 to 20, no two alike, since a step is known by its details alone. `step` says
 * which one an error is about.
 */
export function parsePlan(
  text: string,
): Result<readonly ToolCall[], { readonly flaw: DetailsFlaw | 'details_twice'; readonly step?: number }> {
  const parsed = parseJson(text, 640 * 1024);
  if (!parsed.ok) return no({ flaw: parsed.error });
  if (!Array.isArray(parsed.value)) return no({ flaw: 'details_type' });
  const entries = parsed.value as readonly Json[];
  if (entries.length === 0 || entries.length > MAX_STEPS) return no({ flaw: 'details_count' });
  const calls: ToolCall[] = [];
  for (const [step, entry] of entries.entries()) {
    const locations = isObject(entry) ? entry['locations'] : undefined;
    const resource: Json | undefined = Array.isArray(locations) ? locations[0] : undefined;
    if (typeof resource !== 'string') return no({ flaw: isObject(entry) ? 'details_location' : 'details_type', step });
    const call = readDetails([entry], resource, MEMBERS);
    if (!call.ok) return no({ flaw: call.error, step });
    if (calls.some((other) => isSameCall(other, call.value))) return no({ flaw: 'details_twice', step });
    calls.push(call.value);
  }
  return ok(calls);
}
/** The same tool at the same server with the same arguments, whatever is said of why. */
export const isSameCall = (a: Pick<ToolCall, 'resource' | 'tool' | 'digest'>, b: Pick<ToolCall, 'resource' | 'tool' | 'digest'>): boolean =>
  a.resource === b.resource && a.tool === b.tool && a.digest === b.digest;

/** The same entry inside a token, where arguments and purpose never stand (wire.md §3.2). */
export function grantedDetails(value: Json | undefined, resource: string): Result<ToolCall, DetailsFlaw> {
  return readDetails(value, resource, new Set(['type', 'locations', 'actions', 'identifier', 'arguments_digest']));
}

/** As granted: the digest instead of the arguments. */
export function formatDetails(call: ToolCall): readonly Json[] {
  return [{ type: DETAILS_TYPE, locations: [call.resource], actions: [ACTION_CALL], identifier: call.tool, arguments_digest: call.digest }];
}

function readDetails(value: Json | undefined, resource: string, members: ReadonlySet<string>): Result<ToolCall, DetailsFlaw> {
  if (!Array.isArray(value)) return no('details_type');
  if (value.length !== 1) return no('details_count');
  const entry = (value as readonly Json[])[0];
  if (!isObject(entry) || entry['type'] !== DETAILS_TYPE) return no('details_type');
  for (const key of Object.keys(entry)) if (!members.has(key)) return no('details_member');
  if (!isSole(entry['locations'], resource)) return no('details_location');
  if (!isSole(entry['actions'], ACTION_CALL)) return no('details_action');
  const tool = entry['identifier'];
  if (typeof tool !== 'string' || !TOOL_NAME.test(tool)) return no('details_tool');

  const args = entry['arguments'];
  if (args !== undefined && !isObject(args)) return no('details_member');
  const claimed = entry['arguments_digest'];
  if (claimed !== undefined && !isDigest(claimed)) return no('digest_mismatch');
  const computed = args === undefined ? (claimed ?? EMPTY_DIGEST) : digest(args);
  if (claimed !== undefined && claimed !== computed) return no('digest_mismatch');

  const purpose = entry['purpose'];
  if (purpose !== undefined && (typeof purpose !== 'string' || purpose.length > MAX_PURPOSE)) return no('details_member');
  const context = entry['context'];
  if (context !== undefined && !isContext(context)) return no('details_member');
  const known = args ?? (claimed === undefined ? {} : undefined);
  return ok({
    resource,
    tool,
    digest: computed,
    ...(known && { arguments: known }),
    ...(purpose !== undefined && { purpose }),
    ...(context !== undefined && { context }),
  });
}

const isSole = (value: Json | undefined, only: string): boolean => Array.isArray(value) && value.length === 1 && value[0] === only;
const isContext = (value: Json): value is CallContext & JsonObject =>
  isObject(value) &&
  Object.entries(value).every(([key, text]) => CONTEXT.has(key) && typeof text === 'string' && text.length <= MAX_CONTEXT);
