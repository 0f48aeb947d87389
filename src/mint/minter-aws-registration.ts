/** What a tool's registration may say of STS. The role is fixed here, and arguments reach the session policy by typed parameters alone. */
import { z } from 'zod';
import type { ReadRegistration } from '../bundle/bundle.ts';
import { flawOf, type JsonObject } from '../wire/json.ts';
import { no, ok } from '../wire/result.ts';
import { PARAMETER_TYPES, type Parameter, readParameters } from './minter-aws-parameters.ts';
import { MAX_POLICY_LENGTH, renderPolicy, type Template } from './minter-aws-policy.ts';
import { compileTemplate, policyDocument } from './minter-aws-registration-policy.ts';

export interface AwsSettings {
  readonly role: string;
  /** Of the login, beside ours; other STS than AWS's may want to be told by one what a session has at most. */
  readonly claims: JsonObject;
  readonly parameters: readonly Parameter[];
  readonly template: Template;
}

const ROLE = /^arn:[a-z0-9-]+:iam:[a-z0-9-]*:(?:\d{12})?:role\/[A-Za-z0-9_+=,.@/-]{1,512}$/;
/** What every JWT has (RFC 7519 §4.1), and what AWS reads of it. */
const OURS = /^(?:iss|sub|aud|exp|nbf|iat|jti|https:\/\/aws\.amazon\.com\/.*)$/i;
const claim = z.string().regex(/^[\x21-\x7e]{1,256}$/, 'must be plain text without spaces');
const settings = z.strictObject({
  role: z.string().regex(ROLE, 'must be the ARN of a role'),
  claims: z
    .record(
      z.string().regex(/^[A-Za-z0-9_./:-]{1,128}$/, 'must be the name of a claim'),
      z.union([claim, z.array(claim).min(1).max(16)], 'must be plain text, or a list of it'),
    )
    .refine((claims) => !Object.keys(claims).some((name) => OURS.test(name)), 'must not name a claim that the broker sets')
    .default({}),
  parameters: z
    .record(
      z.string().regex(/^[a-z][A-Za-z0-9_]{0,31}$/, 'must be letters, digits and underscores'),
      z.strictObject({ argument: z.string().min(1), type: z.enum(PARAMETER_TYPES, 'must be segment, enum, integer or uuid') }),
    )
    .default({}),
  policy: policyDocument,
});
const ANY_END = '2026-01-01T00:00:00Z';

/** Reads `credentials.aws` of a tool. `where` is the role: whoever assumes it shares its cap. */
export const readAwsRegistration: ReadRegistration = (given, { tool }) => {
  // A member that a library passes over would be a condition that nobody sees.
  if (flawOf(given) !== undefined) return no(['a name or a value here has no place in JSON']);
  const read = settings.safeParse(given);
  if (!read.success) return no(read.error.issues.flatMap(said));
  const { role, claims, parameters: entries, policy } = read.data;
  const parameters = readParameters(entries, tool);
  const { template, flaws } = compileTemplate(policy);
  const declared = new Set(Object.keys(entries));
  const all = [
    ...(parameters.ok ? [] : parameters.error),
    ...flaws,
    ...[...template.parameters].filter((name) => !declared.has(name)).map(() => 'policy: a $param names no parameter'),
    ...[...declared].filter((name) => !template.parameters.has(name)).map((name) => `parameters.${name}: the policy does not use it`),
  ];
  if (all.length > 0 || !parameters.ok) return no(all);
  const longest = new Map(parameters.value.map((parameter) => [parameter.name, parameter.longest]));
  const length = Math.max(...(['everything', 'services'] as const).map((reach) => renderPolicy(template, longest, ANY_END, reach).length));
  if (length > MAX_POLICY_LENGTH)
    return no([`policy: with its longest arguments it has ${length} characters, and STS takes ${MAX_POLICY_LENGTH}`]);
  const value: AwsSettings = { role, claims, parameters: parameters.value, template };
  return ok({ where: `aws/${role}`, settings: Object.freeze(value) });
};

function said(issue: z.core.$ZodIssue): readonly string[] {
  const at = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => `${at === '' ? '' : `${at}.`}${key}: has no place here`);
  // A record names the bad key in its path and says what is wrong with it one level deeper.
  return [`${at}: ${issue.code === 'invalid_key' ? (issue.issues[0]?.message ?? issue.message) : issue.message}`];
}
