/** What people do to the broker. Console and scripts speak to nothing else. */
import type { Report } from '../bundle/bundle.ts';
import type { Result } from '../errors.ts';
import type { LeasesStatus } from '../mint/lease-status.ts';
import type { SeenVerifier } from '../settle-feed.ts';
import type { Agents } from './agents.ts';
import type { Approvals } from './approvals.ts';
import type { Backends } from './backends.ts';
import type { Entries } from './entries.ts';
import type { TakeOut } from './export.ts';
import type { Fatigue } from './fatigue.ts';
import type { Keys, RingName } from './keys.ts';
import type { Live } from './live.ts';
import type { Overview } from './overview.ts';
import type { PageAsked, Part } from './page.ts';
import type { Passkeys } from './passkeys.ts';
import type { Playground } from './playground.ts';
import type { Revoke } from './revoke.ts';
import type { Explained } from './story.ts';

/** What a person may do here. Nobody has one because they have another. */
export const ROLES = ['viewer', 'approver', 'operator', 'auditor'] as const;
/** `self`: everybody who has logged in, for what concerns them alone. */
export type Role = (typeof ROLES)[number] | 'self';
/** A person of the operator API. Over the local socket: the system user who owns it, since it is 0600; else who has logged in. */
export interface Operator {
  /** `local:<system user>`, or a person as `<issuer id>:<sub>`. */
  readonly name: string;
  readonly via: 'socket' | 'console';
  readonly roles: ReadonlySet<Role>;
  /** Of this team, by what their issuer says of them. */
  readonly isOf: (team: string) => boolean;
}
/** Who may open the socket may do everything, and vouches for whom they speak for; the entry says so. */
export const localOperator = (user: string): Operator => ({
  name: `local:${user}`,
  via: 'socket',
  roles: new Set<Role>([...ROLES, 'self']),
  isOf: () => true,
});
/** A link that logs its operator in to the console, once, within a minute. One entry. */
export type MintTicket = (by: Operator) => Promise<Result<{ readonly url: string; readonly expires_in: number }>>;
/** What a person is called: their issuer's word at a login, shown beside their name and never trusted for it. */
export interface Called {
  readonly name: string;
  readonly called: string;
}
/** Of those who logged in lately, in no order that says anything. */
export type ListCalled = (page: PageAsked) => Promise<Part<Called>>;
export interface Operate {
  /** `backends` only where a back end is configured. */
  readonly rings: Readonly<Partial<Record<RingName, Keys>> & { tokens: Keys }>;
  readonly leases: () => Promise<LeasesStatus>;
  readonly revoke: Revoke;
  readonly approvals: Approvals;
  /** Where people can log in. */
  readonly passkeys?: Passkeys;
  readonly agents: Agents;
  readonly playground: Playground;
  readonly verifiers: () => readonly SeenVerifier[];
  readonly backends: Backends;
  readonly entries: Entries;
  readonly fatigue: Fatigue;
  readonly takeOut: TakeOut;
  readonly live: Live;
  /** `minutes`: back from now. */
  readonly overview: (minutes: number) => Promise<Overview>;
  readonly explain: (id: string) => Promise<Explained>;
  readonly reload: (by: Operator) => Promise<Report>;
  /** Where there is a console. */
  readonly tickets?: MintTicket;
  /** Where there is a console. */
  readonly people?: ListCalled;
  readonly status: () => Promise<object>;
}
