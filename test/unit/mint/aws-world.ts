/** One tool that reads a customer's exports, as a registration that is right; tests change one thing each. */
import assert from 'node:assert/strict';
import type { AwsSettings } from '../../../src/mint/minter-aws-registration.ts';
import { readAwsRegistration } from '../../../src/mint/minter-aws-registration.ts';
import type { JsonObject } from '../../../src/wire/json.ts';

export const ROLE = 'arn:aws:iam::123456789012:role/exports';
export const SCHEMA: JsonObject = {
  type: 'object',
  required: ['customer_id', 'year', 'currency', 'order'],
  properties: {
    customer_id: { type: 'string', minLength: 1, maxLength: 64 },
    year: { type: 'integer' },
    currency: { type: 'string', enum: ['EUR', 'GBP'] },
    order: { type: 'string' },
    note: { type: 'string' },
    size: { type: ['integer', 'null'] },
  },
};
export const PARAMETERS = {
  customer: { argument: 'customer_id', type: 'segment' },
  year: { argument: 'year', type: 'integer' },
  currency: { argument: 'currency', type: 'enum' },
  order: { argument: 'order', type: 'uuid' },
} as const;
export const PREFIX = { $join: ['arn:aws:s3:::exports/', { $param: 'customer' }, '/*'] };
export const READ: JsonObject = { Effect: 'Allow', Action: 's3:GetObject', Resource: PREFIX };
const policyOf = (...statements: readonly JsonObject[]): JsonObject => ({ Version: '2012-10-17', Statement: statements });
/** With one parameter, and its statement in place of the right one. */
export const registered = (statement: JsonObject = READ, more: JsonObject = {}): JsonObject => ({
  role: ROLE,
  parameters: { customer: PARAMETERS.customer },
  policy: policyOf(statement),
  ...more,
});
/** Every type of parameter in one statement. */
export const EVERYTHING: JsonObject = {
  role: ROLE,
  parameters: PARAMETERS,
  policy: policyOf({
    Effect: 'Allow',
    Action: ['s3:GetObject', 's3:ListBucket'],
    Resource: {
      $join: [
        'arn:aws:s3:::exports/',
        { $param: 'customer' },
        '/',
        { $param: 'year' },
        '/',
        { $param: 'currency' },
        '/',
        { $param: 'order' },
      ],
    },
    Condition: { StringEquals: { 's3:ExistingObjectTag/customer': { $param: 'customer' } } },
  }),
};

export const OF = { server: 'shop', tool: { name: 'export_orders', schema: SCHEMA, hidden: false } } as const;
export const readAws = (settings: JsonObject, of: { tool?: Partial<(typeof OF)['tool']> | { hidden: boolean } } = {}) =>
  readAwsRegistration(settings, { ...OF, tool: { ...OF.tool, ...of.tool } });
export function settingsOf(given: JsonObject): AwsSettings {
  const found = readAws(given);
  assert.ok(found.ok, found.ok ? '' : found.error.join('; '));
  return found.value.settings as AwsSettings;
}
