import { type Result, refuse } from '../errors.ts';
import { type Asked, type Job, nameOf } from '../model.ts';
import { ok } from '../wire/result.ts';

/** What is to be made of what was asked. Errors: `mint_refused` where the tool registers no such credential, or not for its agent (wire.md §1). */
export function toJob(asked: Asked): Result<Job> {
  const { kind, action, server, subject, actors, jkt } = asked;
  const registration = action.kind === 'call' ? action.tool.credentials.get(kind) : undefined;
  if (kind !== 'jwt' && registration?.deliver !== 'agent') return refuse('mint_refused');
  return ok({
    kind,
    server,
    ...(action.kind === 'call' && { call: action.call }),
    ...(registration && { registration }),
    subject: nameOf(subject),
    actors: actors.map(({ id }) => id),
    ...(jkt !== undefined && { jkt }),
  });
}
