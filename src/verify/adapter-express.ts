/**
 * `countersign/verify/express`: plain HTTP tools behind Express, and MCP servers of SDK v1 mounted there.
 *
 *     app.post('/refunds', guard({ verifier, tool: 'create_refund', arguments: (req) => req.body }), (req, res) => {
 *       res.json(refund(actionOf(req)?.arguments));
 *     });
 *     app.all('/mcp', guardMcp({ verifier }), (req, res) => transport.handleRequest(req, res, req.body));
 *     app.use(metadata(verifier));
 */
import type { Request, RequestHandler } from 'express';
import { isObject, type Json, parseJson } from '../wire/json.ts';
import type { Action } from './action.ts';
import { answer, bodyOf, httpOf, type McpGuardOptions, nodeGuard, servesMetadata } from './guard-node.ts';
import { VerifyError } from './refusal.ts';
import { inRun, openRun, tell } from './run.ts';
import type { Verifier } from './verify.ts';

export interface GuardOptions {
  readonly verifier: Verifier;
  readonly tool: string;
  /** The arguments that the token must be for, from the request as it stands; the strict JSON body unless told. */
  readonly arguments?: (request: Request) => Json | undefined;
}
const actions = new WeakMap<object, Action>();
/** The verified action of a guarded request. */
export const actionOf = (request: object): Action | undefined => actions.get(request);

/**
 * One tool behind one route. Reads a JSON body strictly if no parser has before it. The receipt says `done` for a status under 400, else
 * `failed`, unless the handler has said something itself.
 */
export function guard(options: GuardOptions): RequestHandler {
  const { verifier, tool } = options;
  return async (req, res, next) => {
    try {
      const http = httpOf(req, verifier.resource, verifier.refuse);
      if (req.body === undefined && hasBody(req)) req.body = strict(await bodyOf(req, verifier.refuse), verifier);
      const args = options.arguments ? options.arguments(req) : (req.body as Json | undefined);
      const action = await verifier.verify({ tool, arguments: args, http });
      actions.set(req, action);
      const run = openRun(action);
      run.started = true;
      res.once('close', () => tell(run, res.writableFinished && res.statusCode < 400 ? 'done' : 'failed'));
      inRun(run, () => next());
    } catch (fault) {
      if (fault instanceof VerifyError) answer(res, fault.status, fault.body, fault.headers);
      else next(fault);
    }
  };
}

/** In front of an MCP v1 streamable HTTP transport. */
export function guardMcp(options: McpGuardOptions): RequestHandler {
  const middleware = nodeGuard(options);
  return (req, res, next) => {
    middleware(req, res, next).catch(next);
  };
}

/** Serves the protected-resource document (RFC 9728) at its well-known path. */
export function metadata(verifier: Verifier): RequestHandler {
  return (req, res, next) => {
    if (!servesMetadata(req, res, verifier)) next();
  };
}

const hasBody = (req: Request): boolean => req.headers['content-length'] !== undefined || req.headers['transfer-encoding'] !== undefined;
function strict(body: { readonly text: string } | { readonly value: unknown }, verifier: Verifier): Json {
  if (!('text' in body)) return body.value as Json;
  const parsed = parseJson(body.text);
  if (!parsed.ok || !isObject(parsed.value)) throw verifier.refuse('ERR_ARGUMENTS_FORM');
  return parsed.value;
}
