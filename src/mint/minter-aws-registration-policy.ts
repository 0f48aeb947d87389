/** A session policy as a registration writes it: what is refused here could mean something else, or more, with other arguments. */
import { z } from 'zod';
import type { Piece, Statement, Template, Text } from './minter-aws-policy.ts';

const fixed = z.string().regex(/^[\x20-\x7e]{1,1024}$/, 'must be plain text');
const placeholder = z.strictObject({ $param: z.string() });
const text = z
  .union(
    [
      fixed,
      placeholder,
      z.strictObject({
        $join: z
          .array(z.union([fixed, placeholder]))
          .min(2)
          .max(16),
      }),
    ],
    'must be plain text, {$param: name} or {$join: […]} of these',
  )
  .transform((value): Text => {
    const pieces = typeof value === 'object' && '$join' in value ? value.$join : [value];
    return pieces.map((piece): Piece => (typeof piece === 'string' ? piece : { parameter: piece.$param })).reduce(joined, []);
  });
/** Fixed text that is written in two pieces is judged as one. */
function joined(text: Text, piece: Piece): Text {
  const last = text.at(-1);
  return typeof last === 'string' && typeof piece === 'string' ? [...text.slice(0, -1), last + piece] : [...text, piece];
}
/** IAM takes one alone for a list of one. */
const some = <T extends z.ZodType>(one: T) =>
  z.preprocess((value) => (Array.isArray(value) ? value : [value]), z.array(one).min(1).max(50));

/** The service is spelled out: `*` would be every service there will ever be. */
const action = z
  .string({ error: 'must be fixed text such as s3:GetObject' })
  .regex(/^[a-z0-9-]{1,64}:[A-Za-z0-9*?]{1,128}$/, 'must be such as s3:GetObject, its service in lower case and without a wildcard');
/** What these make is keys and sessions, which would outlive the action. */
const MAKERS = /^(?:sts|iam):/;
const OPERATOR =
  /^(?:ForAllValues:|ForAnyValue:)?(?:String(?:Not)?(?:Equals|EqualsIgnoreCase|Like)|Numeric(?:NotEquals|Equals|LessThan|LessThanEquals|GreaterThan|GreaterThanEquals)|Date(?:NotEquals|Equals|LessThan|LessThanEquals|GreaterThan|GreaterThanEquals)|Bool|BinaryEquals|(?:Not)?IpAddress|Arn(?:Not)?(?:Equals|Like)|Null)(?:IfExists)?$/;
const CLOCKS = new Set(['aws:currenttime', 'aws:epochtime']);
const conditionValue = z.union([text, z.union([z.boolean(), z.int()]).transform((value): Text => [String(value)])]);
const condition = z.record(
  z.string().regex(OPERATOR, 'is no condition operator, as IAM spells them'),
  z
    .record(z.string().regex(/^[a-z0-9-]+:[A-Za-z0-9/_.:@=+-]{1,128}$/, 'is no condition key such as s3:prefix'), some(conditionValue))
    .superRefine((keys, context) => {
      const lower = Object.keys(keys).map((key) => key.toLowerCase()); // IAM compares them so
      if (new Set(lower).size < lower.length) context.addIssue({ code: 'custom', message: 'a key stands twice' });
      if (lower.some((key) => CLOCKS.has(key))) context.addIssue({ code: 'custom', message: `the time is the broker's to set` });
    }),
);
const statement = z.strictObject({
  Sid: z
    .string()
    .regex(/^[A-Za-z0-9]{1,64}$/, 'must be letters and digits')
    .optional(),
  Effect: z.enum(['Allow', 'Deny'], 'must be Allow or Deny'),
  Action: some(action),
  Resource: some(text),
  Condition: condition.optional(),
});
/** As IAM writes it, as a mapping; nothing else than these members has a place in it. */
export const policyDocument = z.strictObject({
  Version: z.literal('2012-10-17', 'must be "2012-10-17", quoted'),
  Statement: some(statement),
});

/** Errors: each place where an argument could change what is meant, or not only narrow it. */
export function compileTemplate(document: z.output<typeof policyDocument>): {
  readonly template: Template;
  readonly flaws: readonly string[];
} {
  const flaws: string[] = [];
  const parameters = new Set<string>();
  const statements = document.Statement.map((given, index): Statement => {
    const at = `policy.Statement.${index}`;
    const judge = (value: Text, place: string, flaw: (pieces: Text) => string | undefined): Text => {
      const names = value.flatMap((piece) => (typeof piece === 'string' ? [] : [piece.parameter]));
      for (const name of names) parameters.add(name);
      const found = names.length > 0 && given.Effect === 'Deny' ? 'an argument must not choose what is denied' : flaw(value);
      if (found !== undefined) flaws.push(`${at}.${place}: ${found}`);
      return value;
    };
    const condition = Object.entries(given.Condition ?? {}).map(
      ([operator, keys]) =>
        [
          operator,
          Object.entries(keys).map(
            ([key, values]) =>
              [
                key,
                values.map((value) => judge(value, `Condition.${operator}.${key}`, (pieces) => conditionFlaw(operator, pieces))),
              ] as const,
          ),
        ] as const,
    );
    if (given.Effect === 'Allow' && given.Action.some((name) => MAKERS.test(name)))
      flaws.push(`${at}.Action: must be of neither sts nor iam, since what they make outlives the action`);
    return {
      ...(given.Sid !== undefined && { sid: given.Sid }),
      effect: given.Effect,
      actions: given.Action,
      resources: given.Resource.map((value) => judge(value, 'Resource', resourceFlaw)),
      condition,
    };
  });
  if (!statements.some(({ effect }) => effect === 'Allow')) flaws.push('policy.Statement: nothing is allowed');
  return { template: { statements, parameters }, flaws };
}

const isFixed = (value: Text): boolean => value.every((piece) => typeof piece === 'string');
/** Fixed as far as the account or, where the names of a service are everybody's as those of buckets are, the first name. */
const HEAD = /^arn:[a-z0-9-]+:[a-z0-9-]+:[a-z0-9-]*:(?:\d{12}:|:[^*?/:]+[/:])/;
function resourceFlaw(value: Text): string | undefined {
  if (isFixed(value)) {
    const whole = value.join('');
    return whole === '*' || /^arn:[a-z0-9-]+:/.test(whole) ? undefined : 'must be * or begin with arn:';
  }
  const [head] = value;
  if (typeof head !== 'string' || !HEAD.test(head))
    return 'what stands before an argument must be an ARN as far as its account, or its first name and the / behind it';
  return pieceFlaw(value);
}
/** Where a value can only be met by its equal. */
const EXACT = new Set(['StringEquals', 'StringLike', 'NumericEquals']);
function conditionFlaw(operator: string, value: Text): string | undefined {
  if (isFixed(value)) return undefined;
  return EXACT.has(operator) ? pieceFlaw(value) : 'an argument may stand under StringEquals, StringLike and NumericEquals alone';
}
/** No value holds one of these (VALUE in minter-aws-parameters.ts), so that each value begins and ends where the template says. */
const ENDS_OPEN = /[A-Za-z0-9_-]$/;
const BEGINS_OPEN = /^[A-Za-z0-9_-]/;
/** A wildcard after a value begins in a part of its own. */
const WIDE_FIRST = /^[^/:]*[*?]/;
function pieceFlaw(value: Text): string | undefined {
  let before = false;
  for (const [index, piece] of value.entries()) {
    const next = value[index + 1];
    if (typeof piece !== 'string') {
      if (next !== undefined && typeof next !== 'string') return 'fixed text must stand between two arguments';
      before = true;
      continue;
    }
    if (/[${}]/.test(piece)) return 'a policy variable must not stand beside an argument';
    if (before && BEGINS_OPEN.test(piece)) return 'what follows an argument must begin with a sign that no value has, such as /';
    if (before && WIDE_FIRST.test(piece)) return 'a wildcard may follow an argument only after / or :';
    if (next !== undefined && /[*?]/.test(piece)) return 'a wildcard must not stand before an argument';
    if (next !== undefined && typeof next !== 'string' && ENDS_OPEN.test(piece))
      return 'what stands before an argument must end with a sign that no value has, such as /';
  }
  return undefined;
}
