import type { Entry } from '../model.ts';
import type { Field } from './search.ts';

/** No name of ours is longer; what somebody wrote there may be. */
const MAX_NAME = 512;

/** Under which names an entry is found. Times, ids and free text are no names: ids have terms in the store. */
export function namesOf(e: Partial<Entry>): readonly (readonly [Field, string])[] {
  const names: (readonly [Field, string])[] = [];
  const add = (field: Field, value: unknown): void => {
    if (typeof value === 'string' && value !== '') names.push([field, value.slice(0, MAX_NAME)]);
  };
  for (const agent of new Set([e.client, ...(Array.isArray(e.actors) ? e.actors : [])])) add('agent', agent);
  add('subject', e.subject);
  add('owner', e.owner);
  add('tool', e.tool);
  add('resource', e.resource);
  add('kind', e.kind);
  for (const reason of new Set([e.reason, e.code])) add('reason', reason);
  add('why', e.code ?? e.reason);
  if (Array.isArray(e.policies)) for (const policy of new Set<string>(e.policies)) add('policy', policy);
  add('by', e.by);
  add('request', e.request);
  add('outcome', e.outcome);
  return names;
}
