/** One-time links: how whoever may open the operator socket gets into the console, also while the issuer is down. */
import { type Result, refuse } from '../errors.ts';
import type { Secret } from '../keys/secret.ts';
import type { Claim, World } from '../model.ts';
import { type MintTicket, type Operator, ROLES } from '../operate/operator.ts';
import type { Recorder } from '../record/record.ts';
import { collection } from '../store/collection.ts';
import type { Store } from '../store/store.ts';
import { ok } from '../wire/result.ts';
import { notOurs } from './sealed.ts';
import { digestOf, type Visitor } from './session.ts';

const LIFE_SECONDS = 60;
const FORM = /^[A-Za-z0-9_-]{43}$/;

export interface Tickets {
  readonly mint: MintTicket;
  /** Whose it is, and the claim that it is used up with. Errors: `login_refused` with `ticket`. */
  use(ticket: unknown): Promise<Result<{ readonly visitor: Visitor; readonly claim: Claim }>>;
}
interface Kept {
  readonly name: string;
  readonly used: boolean;
  readonly until: number;
}
export function createTickets(rooms: {
  readonly store: Store;
  readonly world: World;
  readonly record: Recorder;
  readonly secret: Secret;
  /** Where the link leads. */
  readonly address: string;
}): Tickets {
  const { store, world, record, secret, address } = rooms;
  const kept = collection<Kept>(store, 'ticket', secret);
  const refused = refuse('login_refused', { detail: 'ticket' });
  return {
    async mint(by: Operator) {
      const ticket = Buffer.from(world.random(32)).toString('base64url');
      const draft = record.open('operator');
      const until = draft.now + LIFE_SECONDS;
      draft.note({ by: by.name, outcome: 'ticket', exp: until });
      const claim = kept.put(digestOf(ticket), { name: by.name, used: false, until }, 0, 'state_conflict', { until });
      const done = await record.commit(draft, 'session', [claim]);
      return done.ok ? ok({ url: `${address}?ticket=${ticket}`, expires_in: LIFE_SECONDS }) : done;
    },
    async use(ticket) {
      if (typeof ticket !== 'string' || !FORM.test(ticket)) return refused;
      const digest = digestOf(ticket);
      const found = await kept.get(digest).catch(notOurs);
      if (!found || found.value.used || found.value.until <= world.now()) return refused;
      const { name, until } = found.value;
      return ok({
        visitor: { name, display: name, roles: [...ROLES, 'self'], teams: [] },
        claim: kept.put(digest, { name, used: true, until }, found.version, 'login_refused', { until }),
      });
    },
  };
}
