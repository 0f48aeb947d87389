import { type Result, refuse } from '../errors.ts';
import type { Agent, Asked, Bundle, Caller, EpochSeconds, Person } from '../model.ts';
import { ok } from '../wire/result.ts';
import type { Sealed } from './kept.ts';
import type { Approval } from './state.ts';

/** What a request is held against once more. */
export interface Chain {
  readonly caller: Caller;
  readonly bundle: Bundle;
  readonly now: EpochSeconds;
  readonly reaches: (issuer: string, server: string) => boolean;
}
/**
 * The request as it was proved, by the words of the bundle in force: a server, tool or agent that has gone since is refused as it would be if it
 * were asked for today. Errors: `approval_expired` past the proofs' end, `resource_unknown`, `resource_refused`, `tool_unknown`, `arguments_bad`,
 * `actor_bad`.
 */
export function restore(approval: Approval, sealed: Sealed, { caller, bundle, now, reaches }: Chain): Result<Asked> {
  const { resource, tool: name, digest, subject: kept, facts, retry, jkt } = approval;
  if (now >= approval.proofs) return refuse('approval_expired', { detail: 'proofs' });
  const server = bundle.servers.byResource(resource);
  if (!server) return refuse('resource_unknown');
  if (kept.kind !== 'agent' && !reaches(kept.issuer, server.id)) return refuse('resource_refused');
  const tool = server.tools.get(name);
  if (!tool) return refuse('tool_unknown');
  const offence = tool.check(sealed.arguments);
  if (offence !== undefined) return refuse('arguments_bad', { detail: offence });
  const subject: Person | Agent | undefined =
    kept.kind === 'agent' ? bundle.agents.byClient(kept.id) : { ...kept, attributes: sealed.attributes };
  const actors = approval.actors.flatMap((id) => bundle.agents.byClient(id) ?? []);
  if (!subject || actors.length < approval.actors.length) return refuse('actor_bad', { detail: 'actor_unknown' });
  const { purpose, context } = facts;
  const call = {
    resource,
    tool: name,
    digest,
    arguments: sealed.arguments,
    ...(purpose !== undefined && { purpose }),
    ...(context && { context }),
  };
  return ok({
    caller,
    subject,
    actors,
    jkt,
    server,
    action: { kind: 'call', call, tool },
    kind: approval.credential,
    until: approval.proofs,
    retry,
    deferred: true,
  });
}
