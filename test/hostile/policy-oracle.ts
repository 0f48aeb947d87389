/**
 * A second opinion on who may do what: a family of policies that a person could check by hand, drawn at random, written out as Cedar, and
 * judged here from its own data. Shares no line with the engine, the slices, the reads or the request builder.
 */
import fc from 'fast-check';

export type Principal =
  | { readonly type: 'Person'; readonly id: string; readonly groups?: readonly string[]; readonly department?: string }
  | { readonly type: 'Service' | 'Agent' | 'Actor'; readonly id: string };
/** One question, in words of our own. */
export interface Situation {
  readonly principal: Principal;
  readonly subject: { readonly id: string; readonly kind: string };
  /** The outermost actor and how long the chain is; none where an agent acts for itself. */
  readonly actor?: { readonly id: string; readonly depth: number };
  readonly tool: string;
  readonly input: { readonly amount?: number; readonly note?: string; readonly fast: boolean; readonly tags?: readonly string[] };
  readonly session?: string;
}
/** True, false, or an error: of what is absent, or too large. */
type Truth = boolean | 'error';
export interface Condition {
  readonly text: string;
  readonly of: (it: Situation) => Truth;
}
export interface RandomPolicy {
  readonly effect: 'permit' | 'forbid';
  readonly principal: { readonly text: string; readonly of: (it: Situation) => boolean };
  readonly action: { readonly text: string; readonly of: (it: Situation) => boolean };
  readonly condition: Condition;
}

const LARGEST = 2 ** 53 - 1;
const AMOUNTS = [0, 1, 99, 100, 101, 5_000, LARGEST];
const GROUPS = ['support', 'leads', 'Support'];
const person = (it: Situation) => (it.principal.type === 'Person' ? it.principal : undefined);

const atoms: readonly Condition[] = [
  { text: 'true', of: () => true },
  ...AMOUNTS.map(
    (n): Condition => ({
      text: `context.input.amount > ${n}`,
      of: ({ input: { amount } }) => (amount === undefined ? 'error' : amount > n),
    }),
  ),
  ...AMOUNTS.map(
    (n): Condition => ({
      text: `context.input.amount == ${n}`,
      of: ({ input: { amount } }) => (amount === undefined ? 'error' : amount === n),
    }),
  ),
  // 2^63 - 1 less the largest number that strict JSON holds, and one: an addition that overflows for that number alone. Often, since an
  // engine that errs is the one that is dangerous.
  ...Array.from(
    { length: 6 },
    (): Condition => ({
      text: 'context.input.amount + 9214364837600034817 > 0',
      of: ({ input: { amount } }) => (amount === undefined || amount === LARGEST ? 'error' : true),
    }),
  ),
  { text: 'context.input.fast', of: ({ input: { fast } }) => fast },
  { text: 'context.input has note && context.input.note == "x"', of: ({ input: { note } }) => note === 'x' },
  { text: 'context.input has note && context.input.note like "x*"', of: ({ input: { note } }) => note?.startsWith('x') ?? false },
  { text: 'context.input has tags && context.input.tags.contains("no")', of: ({ input: { tags } }) => tags?.includes('no') ?? false },
  { text: 'context.input has tags && context.input.tags.isEmpty()', of: ({ input: { tags } }) => tags?.length === 0 },
  { text: 'context has actor && context.actor.depth > 1', of: ({ actor }) => (actor?.depth ?? 0) > 1 },
  { text: 'context has actor && context.actor.id == "sub"', of: ({ actor }) => actor?.id === 'sub' },
  { text: 'context.subject.kind == "person"', of: ({ subject }) => subject.kind === 'person' },
  { text: 'context.subject.id == "people:u_alice"', of: ({ subject }) => subject.id === 'people:u_alice' },
  { text: 'context.said has session && context.said.session == "s1"', of: ({ session }) => session === 's1' },
  { text: 'resource == Server::"shop"', of: () => true },
  { text: 'resource.name == "Shop"', of: () => true },
  { text: 'principal is Person', of: ({ principal }) => principal.type === 'Person' },
  { text: 'principal == Actor::"bot"', of: ({ principal: { type, id } }) => type === 'Actor' && id === 'bot' },
];
/** For people alone: their attributes are nobody else's. */
const ofPeople: readonly Condition[] = [
  ...GROUPS.map(
    (group): Condition => ({ text: `principal.groups.contains("${group}")`, of: (it) => person(it)?.groups?.includes(group) ?? 'error' }),
  ),
  { text: 'principal has department && principal.department == "cash"', of: (it) => person(it)?.department === 'cash' },
];

const and = (a: Condition, b: Condition): Condition => ({
  text: `(${a.text}) && (${b.text})`,
  of: (it) => (a.of(it) === true ? b.of(it) : a.of(it)),
});
const or = (a: Condition, b: Condition): Condition => ({
  text: `(${a.text}) || (${b.text})`,
  of: (it) => (a.of(it) === false ? b.of(it) : a.of(it)),
});
const not = (a: Condition): Condition => ({ text: `!(${a.text})`, of: (it) => (a.of(it) === 'error' ? 'error' : !a.of(it)) });
const choose = (c: Condition, a: Condition, b: Condition): Condition => ({
  text: `if ${c.text} then ${a.text} else ${b.text}`,
  of: (it) => {
    const chosen = c.of(it);
    return chosen === 'error' ? 'error' : chosen ? a.of(it) : b.of(it);
  },
});

const condition = (from: readonly Condition[]): fc.Arbitrary<Condition> => {
  const atom = fc.constantFrom(...from);
  return fc.oneof(
    { weight: 4, arbitrary: atom },
    { weight: 2, arbitrary: fc.tuple(atom, atom).map(([a, b]) => and(a, b)) },
    { weight: 2, arbitrary: fc.tuple(atom, atom).map(([a, b]) => or(a, b)) },
    { weight: 1, arbitrary: atom.map(not) },
    { weight: 1, arbitrary: fc.tuple(atom, atom, atom).map(([c, a, b]) => choose(c, a, b)) },
    { weight: 1, arbitrary: fc.tuple(atom, atom, atom).map(([a, b, c]) => and(or(a, b), not(c))) },
  );
};
const PRINCIPALS: readonly (RandomPolicy['principal'] & { readonly people?: true })[] = [
  { text: 'principal', of: () => true },
  { text: 'principal is Person', of: ({ principal }) => principal.type === 'Person', people: true },
  {
    text: 'principal == Person::"people:u_alice"',
    of: ({ principal: { type, id } }) => type === 'Person' && id === 'people:u_alice',
    people: true,
  },
  { text: 'principal is Service', of: ({ principal }) => principal.type === 'Service' },
  { text: 'principal is Actor', of: ({ principal }) => principal.type === 'Actor' },
  { text: 'principal is Agent', of: ({ principal }) => principal.type === 'Agent' },
  { text: 'principal == Actor::"bot"', of: ({ principal: { type, id } }) => type === 'Actor' && id === 'bot' },
  { text: 'principal == Actor::"sub"', of: ({ principal: { type, id } }) => type === 'Actor' && id === 'sub' },
  { text: 'principal == Agent::"bot"', of: ({ principal: { type, id } }) => type === 'Agent' && id === 'bot' },
];
const actionOf = (...tools: readonly string[]): RandomPolicy['action'] => {
  const names = tools.map((tool) => `shop::Action::"${tool}"`);
  return { text: names.length === 1 ? `action == ${names[0]}` : `action in [${names.join(', ')}]`, of: ({ tool }) => tools.includes(tool) };
};
/** Both tools take the same arguments, so that every condition fits every action. */
const ACTIONS = [actionOf('pay'), actionOf('hold'), actionOf('pay', 'hold')];

export const randomPolicy: fc.Arbitrary<RandomPolicy> = fc
  .tuple(fc.constantFrom<'permit' | 'forbid'>('permit', 'permit', 'forbid'), fc.constantFrom(...PRINCIPALS), fc.constantFrom(...ACTIONS))
  .chain(([effect, principal, action]) =>
    condition(principal.people ? [...atoms, ...ofPeople] : atoms).map(
      (when): RandomPolicy => ({ effect, principal, action, condition: when }),
    ),
  );
export const written = (policies: readonly RandomPolicy[]): string =>
  policies
    .map(
      ({ effect, principal, action, condition: { text } }, i) =>
        `@id("p${i}")\n${effect} (${principal.text}, ${action.text}, resource) when { ${text} };`,
    )
    .join('\n');

/** Allow: a permit holds, no forbid does, and nothing that applies could not be judged. */
export function opinion(policies: readonly RandomPolicy[], it: Situation): 'allow' | 'deny' {
  const met = policies
    .filter(({ principal, action }) => principal.of(it) && action.of(it))
    .map(({ effect, condition: { of } }) => ({ effect, truth: of(it) }));
  if (met.some(({ truth }) => truth === 'error')) return 'deny';
  if (met.some(({ effect, truth }) => effect === 'forbid' && truth)) return 'deny';
  return met.some(({ effect, truth }) => effect === 'permit' && truth) ? 'allow' : 'deny';
}

export interface RandomRequest {
  readonly subject: {
    readonly kind: 'person' | 'service' | 'agent';
    readonly id: string;
    readonly groups?: readonly string[];
    readonly department?: string;
  };
  readonly actors: readonly string[];
  readonly tool: string;
  readonly args: { readonly amount: number; readonly note?: string; readonly fast?: boolean; readonly tags?: readonly string[] };
  readonly session?: string;
}
export const randomRequest: fc.Arbitrary<RandomRequest> = fc.record(
  {
    subject: fc.record(
      {
        kind: fc.constantFrom<'person' | 'service' | 'agent'>('person', 'person', 'person', 'service', 'agent'),
        id: fc.constantFrom('u_alice', 'u_bob'),
        groups: fc.subarray([...GROUPS]),
        department: fc.constantFrom('cash', 'post'),
      },
      { requiredKeys: ['kind', 'id'] },
    ),
    actors: fc.constantFrom<readonly string[]>(['bot'], ['bot'], ['sub', 'bot'], ['third', 'sub', 'bot']),
    tool: fc.constantFrom('pay', 'hold'),
    args: fc.record(
      {
        amount: fc.constantFrom(...AMOUNTS, LARGEST, LARGEST),
        note: fc.constantFrom('x', 'xy', 'y', ''),
        fast: fc.boolean(),
        tags: fc.subarray(['yes', 'no']),
      },
      { requiredKeys: ['amount'] },
    ),
    session: fc.constantFrom('s1', 's2'),
  },
  { requiredKeys: ['subject', 'actors', 'tool', 'args'] },
);
/** Every question of one exchange: the subject's, and each actor's (wire.md §2). */
export function situations({ subject, actors, tool, args, session }: RandomRequest): readonly Situation[] {
  const alone = subject.kind === 'agent';
  const chain = alone ? [] : actors;
  const id = alone ? 'bot' : `people:${subject.id}`;
  const [outermost] = chain;
  const shared = {
    subject: { id, kind: subject.kind },
    ...(outermost !== undefined && { actor: { id: outermost, depth: chain.length } }),
    tool,
    input: { ...args, fast: args.fast ?? false },
    ...(session !== undefined && { session }),
  };
  const who: Principal =
    subject.kind === 'person'
      ? {
          type: 'Person',
          id,
          ...(subject.groups && { groups: subject.groups }),
          ...(subject.department !== undefined && { department: subject.department }),
        }
      : { type: alone ? 'Agent' : 'Service', id };
  return [who, ...chain.map((actor): Principal => ({ type: 'Actor', id: actor }))].map((principal) => ({ principal, ...shared }));
}
