/** Every demand of a small world against every order of votes in it, beside a judge that counts otherwise. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { type Approval, type Happening, step, type Vote } from '../../../src/approve/state.ts';
import type { Demand } from '../../../src/model.ts';
import { EMPTY_DIGEST } from '../../../src/wire/digest.ts';

const MADE = 1_795_176_000;
const LEGAL = 'team:legal';
const PRIVACY = 'team:privacy';
const SUBJECT = 'people:u_carol';
const approval = (demand: Demand): Approval => ({
  id: 'apr_1',
  state: 'pending',
  bind: 'b',
  client: 'bot',
  key: 'k',
  jkt: 'k',
  subject: { kind: 'person', issuer: 'people', subject: 'u_carol', exp: MADE + 900 },
  actors: ['bot'],
  resource: 'https://mcp.example/mcp',
  tool: 'delete_customer',
  digest: EMPTY_DIGEST,
  credential: 'jwt',
  bundle: 'h',
  demand,
  made: MADE,
  until: MADE + 900,
  proofs: MADE + 900,
  retry: { key: 'r', fingerprint: 'f' },
  votes: [],
  facts: {},
  sealed: '',
});
type Cast = Omit<Vote, 'at'>;
const ballot = (by: string, vote: Vote['vote'], stands: readonly string[], confirms = false): Cast => ({
  by,
  vote,
  stands,
  reason: 'r',
  via: 'console',
  ...(confirms && { confirms: true as const }),
});
/** A lawyer, one of privacy who is known to two issuers, one of both teams, a stranger; the person acted for, in both their parts. */
const BALLOTS: readonly Cast[] = [
  ballot('people:u_a', 'approve', [LEGAL]),
  ballot('people:u_b', 'approve', [PRIVACY]),
  ballot('corp:u_b', 'approve', [PRIVACY]),
  ballot('people:u_ab', 'approve', [LEGAL, PRIVACY]),
  ballot('people:u_z', 'approve', []),
  ballot(SUBJECT, 'approve', [LEGAL, PRIVACY]),
  ballot(SUBJECT, 'approve', [], true),
  ballot('people:u_a', 'deny', [LEGAL]),
  ballot(SUBJECT, 'deny', [], true),
];
const DEMANDS: readonly Demand[] = [[], [LEGAL], [PRIVACY], [LEGAL, PRIVACY]].flatMap((who) =>
  (who.length === 0 ? [0] : [1, 2, 3]).flatMap((quorum) =>
    [false, true].flatMap((confirm) =>
      who.length === 0 && !confirm ? [] : [{ who, quorum, ttlSeconds: 900, ...(confirm && { confirm: true as const }) }],
    ),
  ),
);
/** All orders of up to so many ballots, one of them perhaps twice. */
function orders(most: number): readonly (readonly Cast[])[] {
  let longest: readonly (readonly Cast[])[] = [[]];
  const all = [...longest];
  for (let length = 1; length <= most; length++) {
    longest = longest.flatMap((order) => BALLOTS.map((one) => [...order, one]));
    all.push(...longest);
  }
  return all;
}
/** By names alone: whoever ever agreed and may, in sets. */
function judge({ who, quorum, confirm }: Demand, casts: readonly Cast[]): 'pending' | 'approved' | 'denied' {
  const agreed = new Map<string, readonly string[]>();
  let confirmed = false;
  for (const { by, vote, stands, confirms } of casts) {
    const person = by.split(':')[1] ?? '';
    const may = confirms ? confirm === true && by === SUBJECT : person !== 'u_carol' && stands.some((name) => who.includes(name));
    if (!may) continue;
    if (vote === 'deny') return 'denied';
    if (confirms) confirmed = true;
    else if (!agreed.has(person)) agreed.set(person, stands);
    const all = who.every((name) => [...agreed.values()].some((teams) => teams.includes(name)));
    // What has been agreed to is not agreed to again: only a no still counts.
    if (all && agreed.size >= quorum && (confirmed || !confirm)) {
      const later = casts.slice(casts.findIndex((one) => one.by === by && one.vote === vote && one.confirms === confirms) + 1);
      const no = later.some(
        (one) =>
          one.vote === 'deny' && (one.confirms ? confirm === true && one.by === SUBJECT : one.stands.some((name) => who.includes(name))),
      );
      return no ? 'denied' : 'approved';
    }
  }
  return 'pending';
}

it('every demand, every order of four votes', () => {
  let judged = 0;
  const ends = { pending: 0, approved: 0, denied: 0 };
  for (const demand of DEMANDS)
    for (const casts of orders(4)) {
      let now: Approval = approval(demand);
      for (const vote of casts) {
        const happening: Happening = { what: 'vote', vote };
        const next = step(now, happening, MADE + 1);
        if (next.ok) now = next.value;
      }
      const expected = judge(demand, casts);
      if (now.state !== expected) assert.fail(`${JSON.stringify(demand)} ${JSON.stringify(casts)}: ${now.state}, not ${expected}`);
      judged++;
      ends[expected]++;
    }
  assert.equal(judged, DEMANDS.length * (1 + 9 + 81 + 729 + 6_561));
  for (const [end, count] of Object.entries(ends)) assert.ok(count > 1_000, `${end}: ${count}`);
});
