/** A decision from a slice is the decision from all policies: over random bundles and requests, against the engine asked whole. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isAuthorized } from '@cedar-policy/cedar-wasm/nodejs';
import fc from 'fast-check';
import { createSlots, type Slots } from '../../../src/decide/policy-cedar-index.ts';
import type { Question } from '../../../src/model.ts';
import { ALL, compiled, decideBy, forbid, NOW, PAY, permit, question, SERVER, short } from '../../policy/fixture.ts';
import { ask, bundleOf, rule, textsOf, toAsk } from './random-rules.ts';

test('sliced decisions equal unsliced ones', async () => {
  let compared = 0;
  const seen = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(
      fc.array(rule, { minLength: 1, maxLength: 12 }),
      fc.array(ask, { minLength: 6, maxLength: 12 }),
      async (rules, asks) => {
        const texts = textsOf(rules);
        if (texts.length === 0) return;
        const bundle = await bundleOf(texts);
        for (const one of asks) {
          const q = question(bundle, toAsk(one, bundle));
          const sliced = short(bundle.policy.decide(q));
          assert.equal(sliced, whole(texts, q), `${texts.join('\n')}\n${JSON.stringify(one)}`);
          const kind = sliced
            .split(' ')
            .slice(0, sliced.startsWith('allow') ? 1 : 2)
            .join(' ');
          seen.set(kind, (seen.get(kind) ?? 0) + 1);
          compared++;
        }
      },
    ),
    { numRuns: 150, seed: 20261121 },
  );
  assert.ok(compared > 1_000);
  // The comparison means something: every kind of answer came up.
  for (const kind of ['allow', 'denied no_permit', 'denied forbidden', 'input input_overflow'])
    assert.ok((seen.get(kind) ?? 0) > 10, `${kind}: ${seen.get(kind)}`);
});

/** All policies, all attributes, no slots: the engine asked plainly, and its answer read by the same words. */
function whole(texts: readonly string[], { principal, asked, now }: Question): string {
  const { who } = principal;
  const type = principal.as === 'actor' ? 'Actor' : who.kind === 'agent' ? 'Agent' : who.kind === 'service' ? 'Service' : 'Person';
  const uid = { type, id: who.kind === 'agent' ? who.id : `${who.issuer}:${who.subject}` };
  const { subject, action } = asked;
  const [actor] = asked.actors;
  const args = action.kind === 'call' ? { fast: false, ...action.call.arguments } : {};
  const { price, place, ...plain } = args as { price?: number; place?: { country: string } };
  const answer = isAuthorized({
    principal: uid,
    action: { type: 'shop::Action', id: action.kind === 'call' ? action.tool.name : 'tool:list' },
    resource: { type: 'Server', id: 'shop' },
    context: {
      subject: {
        id: subject.kind === 'agent' ? subject.id : `${subject.issuer}:${subject.subject}`,
        kind: subject.kind,
        issuer: subject.kind === 'agent' ? '' : subject.issuer,
      },
      ...(actor && { actor: { id: actor.id, owner: actor.owner, depth: asked.actors.length } }),
      said: {},
      now: { __extn: { fn: 'datetime', arg: new Date(now * 1000).toISOString() } },
      ...(action.kind === 'call' && {
        input: {
          ...plain,
          ...(price !== undefined && { price: { __extn: { fn: 'decimal', arg: String(price) } } }),
          ...(place && { place: { country: place.country } }),
        } as never,
      }),
    },
    policies: { staticPolicies: Object.fromEntries(texts.map((text) => [/@id\("(p\d+)"\)/.exec(text)?.[1] ?? '', text])) },
    entities: [
      {
        uid,
        attrs:
          who.kind === 'agent'
            ? { name: who.name, owner: who.owner }
            : who.kind === 'service'
              ? {}
              : (who.attributes as Record<string, string>),
        parents: [],
      },
      { uid: { type: 'Server', id: 'shop' }, attrs: { name: 'Shop' }, parents: [] },
    ],
  });
  assert.ok(answer.type === 'success');
  const { decision, diagnostics } = answer.response;
  const reason = [...diagnostics.reason].sort();
  const errors = diagnostics.errors.map((error) => error.policyId).sort();
  if (decision === 'deny' && reason.length > 0) return ['denied', 'forbidden', ...reason].join(' ');
  if (errors.length > 0) return ['input', 'input_overflow', ...errors].join(' ');
  return decision === 'allow' ? ['allow', ...reason].join(' ') : 'denied no_permit';
}

test('few slots, many slices: a name used again holds what was put there last', async () => {
  const tools = Array.from({ length: 40 }, (_, i) => `  t${i}:\n    description: T.\n    input: { type: object }\n`).join('');
  const policies = Array.from({ length: 40 }, (_, i) => permit(`t${i}`, `principal, action == shop::Action::"t${i}", resource`)).join('');
  const server = SERVER.replace(/tools:\n[\s\S]*/, `tools:\n${tools}`);
  const { bundle } = await compiled(policies, { 'servers/shop.yaml': server }, createSlots(3));
  const order = Array.from({ length: 400 }, (_, i) => (i * 7) % 40);
  for (const i of order) assert.equal(short(decideBy(bundle, { tool: `t${i}`, args: {} })), `allow t${i}`);
});

test('what is used stays, what is not goes first', () => {
  const slots = createSlots(2);
  const [a, b, c] = [empty(), empty(), empty()] as const;
  const at = [slots.hold(a), slots.hold(b), slots.hold(a), slots.hold(c)];
  assert.equal(at[2], at[0]);
  assert.equal(at[3], at[1]);
  assert.equal(slots.hold(a), at[0]);
});
type Slice = Parameters<Slots['hold']>[0];
const empty = (): Slice => ({ rules: [], reads: new Map() });

test('a reload forgets which slot holds what, and both bundles decide as they say', async () => {
  const slots = createSlots(1);
  const scope = `principal, action == ${PAY}, resource`;
  const { bundle: before } = await compiled(ALL, {}, slots);
  assert.equal(short(decideBy(before)), 'allow all');
  const { bundle: after } = await compiled(ALL + forbid('no', scope, 'true'), {}, slots);
  assert.equal(short(decideBy(after)), 'denied forbidden no');
  assert.equal(short(decideBy(before)), 'allow all');
  assert.equal(short(decideBy(after)), 'denied forbidden no');
});

test('requests cannot make slices: strangers share theirs', async () => {
  const seen = new Set<unknown>();
  const note = (slice: Slice): Slice => {
    seen.add(slice);
    return slice;
  };
  const real = createSlots(8);
  const slots: Slots = { hold: (slice) => real.hold(note(slice)), forget: real.forget };
  const { bundle } = await compiled(ALL + permit('bob', 'principal == Person::"people:bob", action, resource'), {}, slots);
  for (let i = 0; i < 50; i++)
    decideBy(bundle, { subject: { kind: 'person', issuer: 'people', subject: `u${i}`, exp: NOW, attributes: {} } });
  decideBy(bundle, { subject: { kind: 'person', issuer: 'people', subject: 'bob', exp: NOW, attributes: {} } });
  assert.equal(seen.size, 2);
});
