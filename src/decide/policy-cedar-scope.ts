import type { EntityUidJson, PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';

/** What a policy's scope names; absent: anything. Entities have no parents here, so `in` one of them is `==` it. */
export interface Scope {
  readonly principal?: { readonly type: string; readonly id?: string };
  /** Keys of actions. */
  readonly actions?: readonly string[];
  readonly resource?: { readonly type: string; readonly id?: string };
}
export interface Uid {
  readonly type: string;
  readonly id: string;
}
export const keyOf = (uid: Uid): string => JSON.stringify([uid.type, uid.id]);

export function readScope(json: Pick<PolicyJson, 'principal' | 'action' | 'resource'>): Scope {
  const principal = readEnd(json.principal);
  const resource = readEnd(json.resource);
  const { action } = json;
  const entities = 'entities' in action ? action.entities : 'entity' in action ? [action.entity] : undefined;
  return {
    ...(principal && { principal }),
    ...(entities && { actions: entities.map((entity) => keyOf(uidOf(entity))) }),
    ...(resource && { resource }),
  };
}
function readEnd(constraint: PolicyJson['principal']): { readonly type: string; readonly id?: string } | undefined {
  if (constraint.op === 'is') return { type: constraint.entity_type };
  return 'entity' in constraint ? uidOf(constraint.entity) : undefined;
}
const uidOf = (entity: EntityUidJson): Uid => ('__entity' in entity ? entity.__entity : entity);
