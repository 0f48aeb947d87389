/**
 * The session policy of a tool: a template in which values of arguments stand as whole pieces between fixed ones. Rendering builds the
 * document; no text is ever searched or replaced. May not know requests.
 */
import type { Json, JsonObject } from '../wire/json.ts';

/** What STS takes, in characters of the document (AssumeRoleWithWebIdentity, `Policy`). */
export const MAX_POLICY_LENGTH = 2_048;

/** Fixed text, or the parameter whose value stands here. */
export type Piece = string | { readonly parameter: string };
export type Text = readonly Piece[];
export interface Statement {
  readonly sid?: string;
  readonly effect: 'Allow' | 'Deny';
  readonly actions: readonly string[];
  readonly resources: readonly Text[];
  readonly condition: readonly (readonly [operator: string, readonly (readonly [key: string, values: readonly Text[]])[]])[];
}
export interface Template {
  readonly statements: readonly Statement[];
  readonly parameters: ReadonlySet<string>;
}
/**
 * What is denied once the end has come, beside the permissions that end themselves: grants by a resource's own policy are not narrowed by a
 * session policy but are by its denials. Not every other STS than AWS's knows the time for all actions at once.
 */
export type Reach = 'everything' | 'services';

const END_OPERATOR = { Allow: 'DateLessThan', Deny: 'DateGreaterThanEquals' } as const;
const END_KEY = 'aws:CurrentTime';

/**
 * The document, ending at `end`: every permission holds until then, and from then on what was used is denied. `values` are as their
 * parameters demand.
 */
export function renderPolicy(template: Template, values: ReadonlyMap<string, string>, end: string, reach: Reach): string {
  const put = (value: Text): string =>
    value
      .map((piece) => {
        if (typeof piece === 'string') return piece;
        const found = values.get(piece.parameter);
        if (found === undefined) throw new Error('a parameter has no value');
        return found;
      })
      .join('');
  const statements = template.statements.map(({ sid, effect, actions, resources, condition }): JsonObject => {
    const own = Object.fromEntries(
      condition.map(([operator, keys]) => [operator, Object.fromEntries(keys.map(([key, list]) => [key, short(list.map(put))]))]),
    );
    const until = { ...own, [END_OPERATOR.Allow]: { ...own[END_OPERATOR.Allow], [END_KEY]: end } };
    const conditions = effect === 'Allow' ? until : own;
    return {
      ...(sid !== undefined && { Sid: sid }),
      Effect: effect,
      Action: short(actions),
      Resource: short(resources.map(put)),
      ...(Object.keys(conditions).length > 0 && { Condition: conditions }),
    };
  });
  const services = [...new Set(template.statements.flatMap(({ effect, actions }) => (effect === 'Allow' ? actions : [])).map(serviceOf))];
  const over: JsonObject = {
    Effect: 'Deny',
    Action: reach === 'everything' ? '*' : short(services),
    Resource: '*',
    Condition: { [END_OPERATOR.Deny]: { [END_KEY]: end } },
  };
  return JSON.stringify({ Version: '2012-10-17', Statement: [...statements, over] });
}
const serviceOf = (name: string): string => `${name.slice(0, name.indexOf(':'))}:*`;
/** One alone stands without its list: characters count. */
const short = (list: readonly string[]): Json => (list.length === 1 ? (list[0] ?? '') : list);
