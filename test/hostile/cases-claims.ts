/** Each claim of each token absent, of the wrong type, empty, huge, past or to come. */
import { rawJws } from '../support/keys.ts';
import type { Case } from './oracle.ts';
import { KINDS, type Kind, keyOf, partsOf, REFUSED, showing } from './tokens.ts';

/** JSON texts, so that nothing on the way makes them better. */
type Value = readonly [name: string, json: string | undefined];
const ABSENT: Value = ['absent', undefined];
const NOT_TEXT: readonly Value[] = [
  ABSENT,
  ['null', 'null'],
  ['a number', '7'],
  ['true', 'true'],
  ['a list', '["x"]'],
  ['an object', '{"a":1}'],
];
const EMPTY: Value = ['empty', '""'];
const HUGE: Value = ['of 1,025 characters', `"${'x'.repeat(1_025)}"`];
const NOT_TIME: readonly Value[] = [
  ABSENT,
  ['null', 'null'],
  ['text', '"1795176000"'],
  ['true', 'true'],
  ['a list', '[1795176000]'],
  ['an object', '{"a":1}'],
  ['zero', '0'],
  ['negative', '-1'],
  ['in the year 33658', '1e12'],
];
const present = (values: readonly Value[]): readonly Value[] => values.filter(([, json]) => json !== undefined);
type Row = readonly [claim: string, values: readonly Value[], answer: Partial<Pick<Case, 'status' | 'error' | 'reason' | 'detail'>>];

const TIMES: readonly Row[] = [
  ['iat', NOT_TIME, { detail: 'token_claim' }],
  ['exp', NOT_TIME, { detail: 'token_claim' }],
  ['nbf', present(NOT_TIME), { detail: 'token_claim' }],
  // An integer that no double holds exactly is no strict JSON.
  ...['iat', 'exp', 'nbf'].map((claim): Row => [claim, [['1e300', '1e300']], { detail: 'token_form' }]),
];
const AUDIENCES: readonly Value[] = [
  ...NOT_TEXT,
  EMPTY,
  ['an empty list', '[]'],
  ['a list in a list', '[["refund-bot-app"]]'],
  ['a wildcard', '"*"'],
  ['the bare host', '"127.0.0.1"'],
];
const ROWS: Readonly<Record<Kind, readonly Row[]>> = {
  assertion: [
    ['iss', NOT_TEXT, { detail: 'token_issuer' }],
    ['iss', [EMPTY, HUGE, ['another case', '"Refund-Bot"'], ['with a space', '"refund-bot "']], { reason: 'client_unknown' }],
    [
      'iss',
      [
        ["an object's own name", '"constructor"'],
        ['a prototype', '"__proto__"'],
      ],
      { reason: 'client_unknown' },
    ],
    ['sub', [...NOT_TEXT, EMPTY, HUGE, ['another case', '"Refund-Bot"']], { detail: 'token_claim' }],
    ['aud', AUDIENCES, { detail: 'token_audience' }],
    ['jti', [...NOT_TEXT, EMPTY, HUGE], { detail: 'token_claim' }],
    ...TIMES,
    [
      'act',
      [
        ['an object', '{"sub":"x"}'],
        ['null', 'null'],
      ],
      { detail: 'assertion_is_actor' },
    ],
    [
      'cnf',
      [
        ['an object', '{"jkt":"x"}'],
        ['null', 'null'],
        ['empty', '{}'],
      ],
      { detail: 'assertion_is_actor' },
    ],
  ],
  subject: [
    ['iss', NOT_TEXT, { detail: 'token_form' }],
    ['iss', [EMPTY, HUGE, ['a prototype', '"__proto__"'], ['a file', '"file:///etc/passwd"']], { detail: 'token_issuer' }],
    ['sub', [...NOT_TEXT, EMPTY, HUGE], { detail: 'token_claim' }],
    ['aud', AUDIENCES, { detail: 'token_audience' }],
    ['azp', present([...NOT_TEXT, EMPTY]), { detail: 'token_client' }],
    ['jti', [...present(NOT_TEXT), EMPTY, HUGE], { detail: 'token_claim' }],
    ...TIMES,
    [
      'cnf',
      present([...NOT_TEXT, ['empty', '{}'], ['a number in it', '{"jkt":7}'], ['two bindings', '{"jkt":"x","x5t#S256":"y"}']]),
      { reason: 'subject_binding', detail: 'cnf_form' },
    ],
    ['cnf', [['a certificate', '{"x5t#S256":"y"}']], { reason: 'subject_binding', detail: 'cnf_form' }],
    ['cnf', [['another key', `{"jkt":"${'A'.repeat(43)}"}`]], { reason: 'subject_binding', detail: 'cnf_unproven' }],
    [
      'act',
      [
        ['null', 'null'],
        ['text', '"refund-bot"'],
        ['a list', '[]'],
        ['empty', '{}'],
        ['without issuer', '{"sub":"triage-bot"}'],
      ],
      { detail: 'act_form' },
    ],
    [
      'may_act',
      [
        ['null', 'null'],
        ['a list', '[]'],
        ['empty', '{}'],
        ['of another issuer', '{"iss":"https://x.example","sub":"refund-bot"}'],
      ],
      { reason: 'may_act_mismatch' },
    ],
    [
      'events',
      [
        ['null', 'null'],
        ['a list', '[]'],
      ],
      { detail: 'token_events' },
    ],
  ],
  actor: [
    ['iss', NOT_TEXT, { detail: 'token_form' }],
    ['iss', [EMPTY, HUGE, ["an object's own name", '"constructor"'], ['a tool server', '"shop"']], { detail: 'actor_unknown' }],
    ['sub', [...NOT_TEXT, EMPTY, HUGE, ['another agent', '"refund-bot"']], { detail: 'token_claim' }],
    ['aud', AUDIENCES, { detail: 'token_audience' }],
    ['jti', [...NOT_TEXT, EMPTY, HUGE], { detail: 'token_claim' }],
    ...TIMES,
    [
      'cnf',
      [
        ...NOT_TEXT,
        ['empty', '{}'],
        ['a short thumbprint', '{"jkt":"AAAA"}'],
        ['a padded one', `{"jkt":"${'A'.repeat(43)}="}`],
        ['a key itself', '{"jwk":{"kty":"EC"}}'],
        ['a member more', `{"jkt":"${'A'.repeat(43)}","x":1}`],
      ],
      { detail: 'cnf_form' },
    ],
    [
      'act',
      [
        ['null', 'null'],
        ['text', '"triage-bot"'],
        ['a list', '[]'],
        ['without issuer', '{"sub":"nightly-report"}'],
        ['issuer a number', '{"iss":1,"sub":"nightly-report"}'],
      ],
      { detail: 'act_form' },
    ],
  ],
  proof: [
    ['jti', [...NOT_TEXT, EMPTY, ['of 257 characters', `"${'x'.repeat(257)}"`]], { detail: 'proof_claim' }],
    ['htm', [...NOT_TEXT, EMPTY, ['in lower case', '"post"'], ['with a space', '"POST "']], { detail: 'proof_htm' }],
    [
      'htu',
      [
        ...NOT_TEXT,
        EMPTY,
        ['relative', '"/token"'],
        ['a file', '"file:///token"'],
        ['of 3 KB', `"https://x.example/${'x'.repeat(2_500)}"`],
      ],
      { detail: 'proof_htu' },
    ],
    [
      'iat',
      [ABSENT, ['null', 'null'], ['text', '"1795176000"'], ['true', 'true'], ['a list', '[1]'], ['zero', '0']],
      { detail: 'proof_iat' },
    ],
    ['iat', [['1e300', '1e300']], { detail: 'proof_form' }],
    ['nonce', present(NOT_TEXT), { detail: 'proof_claim' }],
    ['nonce', [ABSENT, EMPTY, HUGE], { error: 'use_dpop_nonce', reason: 'nonce_needed' }],
  ],
};

const withClaim = (claims: Readonly<Record<string, unknown>>, claim: string, json: string | undefined): string => {
  const { [claim]: _old, ...rest } = claims;
  const text = JSON.stringify(rest);
  return json === undefined ? text : `{${JSON.stringify(claim)}:${json},${text.slice(1)}`;
};
export const claimCases = (kind: Kind): readonly Case[] =>
  ROWS[kind].flatMap(([claim, values, answer]) =>
    values.map(
      ([name, json]): Case => ({
        name: `${claim} ${name}`,
        asking: async (rig) => {
          const { header, claims } = await partsOf(rig, kind);
          return showing(kind, { token: rawJws(keyOf(rig, kind), JSON.stringify(header), withClaim(claims, claim, json)) });
        },
        ...REFUSED[kind],
        ...answer,
      }),
    ),
  );
export const claimTables = KINDS.map((kind) => [`claims of the ${kind}`, claimCases(kind)] as const);
