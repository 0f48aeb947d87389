/** Which templates come into force: none that an argument could make wider, and none that leaves open what it allows. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { Json, JsonObject } from '../../../src/wire/json.ts';
import { EVERYTHING, PREFIX, READ, ROLE, readAws, registered } from './aws-world.ts';

const CUSTOMER = { $param: 'customer' };
const resource = (...pieces: readonly Json[]): JsonObject => registered({ ...READ, Resource: { $join: pieces } });
const condition = (value: Json): JsonObject => registered({ ...READ, Condition: value });
const AT = 'policy.Statement.0';

suite('what a tool may register', () => {
  for (const [what, settings] of [
    ['a folder of one customer', registered()],
    ['every type of parameter', EVERYTHING],
    ['no argument at all', registered({ ...READ, Resource: '*' }, { parameters: {} })],
    ['one file', resource('arn:aws:s3:::exports/', CUSTOMER, '.csv')],
    ['files of a name', resource('arn:aws:s3:::exports/', CUSTOMER, '/2026-*')],
    ['a partition', resource('arn:aws:s3:::exports/customer=', CUSTOMER, '/*')],
    ['a queue of an account', resource('arn:aws:sqs:eu-west-1:123456789012:', CUSTOMER)],
    ['a table of an account', resource('arn:aws:dynamodb:eu-west-1:123456789012:table/', CUSTOMER)],
    ['fixed text in pieces', resource('arn:aws:s3:::', 'exports/', CUSTOMER, '/', '*')],
    ['a service whole', registered({ ...READ, Action: 's3:*' })],
    ['listing below a prefix', condition({ StringLike: { 's3:prefix': { $join: [CUSTOMER, '/*'] } } })],
    ['a listing of exactly this', condition({ StringEquals: { 's3:prefix': [CUSTOMER, ''].slice(0, 1) } })],
    [
      'a denial beside',
      { ...registered(), policy: { Version: '2012-10-17', Statement: [READ, { ...READ, Effect: 'Deny', Resource: '*' }] } },
    ],
    ['a statement alone', { ...registered(), policy: { Version: '2012-10-17', Statement: READ } }],
    ['claims for another STS', registered(READ, { claims: { policy: 'readwrite', groups: ['a', 'b'] } })],
    ['a role with a path, of Ceph', registered(READ, { role: 'arn:aws:iam:::role/app/exports' })],
  ] as const) {
    test(what, () => {
      const found = readAws(settings as JsonObject);
      assert.ok(found.ok, found.ok ? '' : found.error.join('; '));
      assert.equal(found.value.where, `aws/${(settings as JsonObject)['role']}`);
      assert.ok(Object.isFrozen(found.value.settings));
    });
  }
});

const FIXED = 'must be such as s3:GetObject, its service in lower case and without a wildcard';
const ARN = `${AT}.Resource: what stands before an argument must be an ARN as far as its account, or its first name and the / behind it`;
const OPEN = `${AT}.Resource: what follows an argument must begin with a sign that no value has, such as /`;
const EXACT = 'an argument may stand under StringEquals, StringLike and NumericEquals alone';
const REFUSED: readonly (readonly [what: string, settings: JsonObject, flaws: readonly string[]])[] = [
  // where a value could reach further than its place
  [
    'a wildcard right behind',
    resource('arn:aws:s3:::exports/', CUSTOMER, '*'),
    [`${AT}.Resource: a wildcard may follow an argument only after / or :`],
  ],
  [
    'a wildcard for one right behind',
    resource('arn:aws:s3:::exports/', CUSTOMER, '?/x'),
    [`${AT}.Resource: a wildcard may follow an argument only after / or :`],
  ],
  [
    'a wildcard behind a dot',
    resource('arn:aws:s3:::exports/', CUSTOMER, '.*'),
    [`${AT}.Resource: a wildcard may follow an argument only after / or :`],
  ],
  [
    'the same in two pieces',
    resource('arn:aws:s3:::exports/', CUSTOMER, '.', '*'),
    [`${AT}.Resource: a wildcard may follow an argument only after / or :`],
  ],
  ['a letter right behind', resource('arn:aws:s3:::exports/', CUSTOMER, 'x/*'), [OPEN]],
  ['a dash right behind', resource('arn:aws:s3:::exports/', CUSTOMER, '-*'), [OPEN]],
  [
    'a letter right before',
    resource('arn:aws:s3:::exports/c', CUSTOMER, '/*'),
    [`${AT}.Resource: what stands before an argument must end with a sign that no value has, such as /`],
  ],
  [
    'a wildcard before',
    resource('arn:aws:s3:::exports/*/', CUSTOMER, '/x'),
    [`${AT}.Resource: a wildcard must not stand before an argument`],
  ],
  [
    'two arguments together',
    resource('arn:aws:s3:::exports/', CUSTOMER, CUSTOMER),
    [`${AT}.Resource: fixed text must stand between two arguments`],
  ],
  [
    'a policy variable before',
    resource(`arn:aws:s3:::exports/\${aws:userid}/`, CUSTOMER),
    [`${AT}.Resource: a policy variable must not stand beside an argument`],
  ],
  [
    'an argument in a policy variable',
    resource(`arn:aws:s3:::exports/\${aws:PrincipalTag/`, CUSTOMER, '}'),
    [`${AT}.Resource: a policy variable must not stand beside an argument`],
  ],
  ['the whole ARN', registered({ ...READ, Resource: CUSTOMER }), [ARN]],
  ['the bucket', resource('arn:aws:s3:::', CUSTOMER, '/*'), [ARN]],
  ['the end of the bucket', resource('arn:aws:s3:::exports-', CUSTOMER, '/*'), [ARN]],
  ['the account', resource('arn:aws:sqs:eu-west-1:', CUSTOMER, ':queue'), [ARN]],
  ['the region', resource('arn:aws:sqs:', CUSTOMER, ':123456789012:queue'), [ARN]],
  ['the service', resource('arn:aws:', CUSTOMER, ':::x'), [ARN]],
  ['any account', resource('arn:aws:sqs:eu-west-1:*:', CUSTOMER), [ARN]],
  ['something that is no ARN', resource('exports/', CUSTOMER), [ARN]],
  // where a value would decide what is meant
  ['an argument as action', registered({ ...READ, Action: CUSTOMER }), [`${AT}.Action.0: must be fixed text such as s3:GetObject`]],
  [
    'an argument in an action',
    registered({ ...READ, Action: { $join: ['s3:', CUSTOMER] } }),
    [`${AT}.Action.0: must be fixed text such as s3:GetObject`],
  ],
  ['an argument as effect', registered({ ...READ, Effect: CUSTOMER }), [`${AT}.Effect: must be Allow or Deny`]],
  [
    'an argument as name of a statement',
    registered({ ...READ, Sid: CUSTOMER }),
    [`${AT}.Sid: Invalid input: expected string, received object`],
  ],
  ['an argument as principal', registered({ ...READ, Principal: CUSTOMER }), [`${AT}.Principal: has no place here`]],
  [
    'an argument as operator',
    condition({ $param: { 's3:prefix': 'x' } }),
    [`${AT}.Condition.$param: is no condition operator, as IAM spells them`],
  ],
  [
    'an argument as key',
    condition({ StringEquals: { $param: 'customer' } }),
    [`${AT}.Condition.StringEquals.$param: is no condition key such as s3:prefix`],
  ],
  [
    'an argument in a denial',
    registered({ ...READ, Effect: 'Deny' }),
    [`${AT}.Resource: an argument must not choose what is denied`, 'policy.Statement: nothing is allowed'],
  ],
  [
    'an argument that is not to be met',
    condition({ StringNotEquals: { 's3:prefix': CUSTOMER } }),
    [`${AT}.Condition.StringNotEquals.s3:prefix: ${EXACT}`],
  ],
  [
    'an argument as limit',
    condition({ NumericLessThan: { 's3:max-keys': CUSTOMER } }),
    [`${AT}.Condition.NumericLessThan.s3:max-keys: ${EXACT}`],
  ],
  ['an argument as network', condition({ IpAddress: { 'aws:SourceIp': CUSTOMER } }), [`${AT}.Condition.IpAddress.aws:SourceIp: ${EXACT}`]],
  [
    'an argument that absence meets',
    condition({ StringEqualsIfExists: { 's3:prefix': CUSTOMER } }),
    [`${AT}.Condition.StringEqualsIfExists.s3:prefix: ${EXACT}`],
  ],
  [
    'an argument that an empty set meets',
    condition({ 'ForAllValues:StringEquals': { 'aws:TagKeys': CUSTOMER } }),
    [`${AT}.Condition.ForAllValues:StringEquals.aws:TagKeys: ${EXACT}`],
  ],
  [
    'a prefix left open',
    condition({ StringLike: { 's3:prefix': { $join: [CUSTOMER, '*'] } } }),
    [`${AT}.Condition.StringLike.s3:prefix: a wildcard may follow an argument only after / or :`],
  ],
  // what leaves open what is allowed
  ['no policy', { role: ROLE }, ['policy: Invalid input: expected object, received undefined']],
  ['every action', registered({ ...READ, Action: '*' }), [`${AT}.Action.0: ${FIXED}`]],
  ['every action of every service', registered({ ...READ, Action: '*:*' }), [`${AT}.Action.0: ${FIXED}`]],
  ['every service that begins so', registered({ ...READ, Action: ['s3:GetObject', 's*:Get'] }), [`${AT}.Action.1: ${FIXED}`]],
  [
    'actions but these',
    registered({ Effect: 'Allow', NotAction: 's3:PutObject', Resource: PREFIX }),
    [`${AT}.Action.0: must be fixed text such as s3:GetObject`, `${AT}.NotAction: has no place here`],
  ],
  ['resources but these', registered({ ...READ, NotResource: 'arn:aws:s3:::x' }), [`${AT}.NotResource: has no place here`]],
  [
    'no resource',
    registered({ Effect: 'Allow', Action: 's3:GetObject' }),
    [`${AT}.Resource.0: must be plain text, {$param: name} or {$join: […]} of these`],
  ],
  [
    'no statement',
    { ...registered(), policy: { Version: '2012-10-17', Statement: [] } },
    ['policy.Statement: Too small: expected array to have >=1 items'],
  ],
  [
    'sessions of its own',
    registered({ ...READ, Action: ['s3:GetObject', 'sts:AssumeRole'] }),
    [`${AT}.Action: must be of neither sts nor iam, since what they make outlives the action`],
  ],
  [
    'keys of its own',
    registered({ ...READ, Action: 'iam:*' }),
    [`${AT}.Action: must be of neither sts nor iam, since what they make outlives the action`],
  ],
  ['keys of its own, in capitals', registered({ ...READ, Action: 'IAM:CreateAccessKey' }), [`${AT}.Action.0: ${FIXED}`]],
  [
    'an end of its own',
    condition({ DateLessThan: { 'aws:CurrentTime': '2099-01-01T00:00:00Z' } }),
    [`${AT}.Condition.DateLessThan: the time is the broker's to set`],
  ],
  [
    'an end of its own in other letters',
    condition({ DateLessThan: { 'AWS:currenttime': '2099-01-01T00:00:00Z' } }),
    [`${AT}.Condition.DateLessThan.AWS:currenttime: is no condition key such as s3:prefix`],
  ],
  [
    'an end in seconds',
    condition({ NumericLessThan: { 'aws:epochTime': 4102444800 } }),
    [`${AT}.Condition.NumericLessThan: the time is the broker's to set`],
  ],
  [
    'a key twice',
    condition({ StringEquals: { 's3:prefix': 'a', 's3:Prefix': 'b' } }),
    [`${AT}.Condition.StringEquals: a key stands twice`],
  ],
  [
    'an operator in other letters',
    condition({ datelessthan: { 's3:x': 'a' } }),
    [`${AT}.Condition.datelessthan: is no condition operator, as IAM spells them`],
  ],
  [
    'the language before policy variables',
    { ...registered(), policy: { Version: '2008-10-17', Statement: READ } },
    ['policy.Version: must be "2012-10-17", quoted'],
  ],
  ['a resource that is no ARN', registered({ ...READ, Resource: [PREFIX, 'exports/*'] }), [`${AT}.Resource: must be * or begin with arn:`]],
  [
    'what a parser might pass over',
    JSON.parse(JSON.stringify(condition({ X: {} })).replace('"X"', '"__proto__"')) as JsonObject,
    ['a name or a value here has no place in JSON'],
  ],
  // the role and its login
  ['no role', { policy: { Version: '2012-10-17', Statement: READ } }, ['role: Invalid input: expected string, received undefined']],
  [
    'an argument in the role',
    registered(READ, { role: { $join: ['arn:aws:iam::123456789012:role/', CUSTOMER] } }),
    ['role: Invalid input: expected string, received object'],
  ],
  ['a user', registered(READ, { role: 'arn:aws:iam::123456789012:user/x' }), ['role: must be the ARN of a role']],
  ['any role', registered(READ, { role: 'arn:aws:iam::123456789012:role/*' }), ['role: must be the ARN of a role']],
  ['a claim of ours', registered(READ, { claims: { sub: 'x' } }), ['claims: must not name a claim that the broker sets']],
  [
    'a claim of ours, of AWS',
    registered(READ, { claims: { 'https://aws.amazon.com/tags': 'x' } }),
    ['claims: must not name a claim that the broker sets'],
  ],
  ['a claim of an argument', registered(READ, { claims: { policy: CUSTOMER } }), ['claims.policy: must be plain text, or a list of it']],
  ['another setting', registered(READ, { path: 'x' }), ['path: has no place here']],
];

suite('what a tool may not register', () => {
  for (const [what, settings, flaws] of REFUSED) {
    test(what, () => {
      const found = readAws(settings);
      assert.deepEqual(found.ok ? 'registered' : found.error, flaws);
    });
  }
});
