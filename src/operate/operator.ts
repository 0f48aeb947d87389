/** What people do to the broker. Console and scripts speak to nothing else. */
import type { Report } from '../bundle/bundle.ts';
import type { LeasesStatus } from '../mint/lease-status.ts';
import type { SeenVerifier } from '../settle-feed.ts';
import type { Approvals } from './approvals.ts';
import type { Backends } from './backends.ts';
import type { Keys, RingName } from './keys.ts';
import type { Revoke } from './revoke.ts';
import type { Told } from './story.ts';

/** A person of the operator API. Over the local socket: the system user who owns it, since it is 0600. */
export interface Operator {
  readonly name: string;
  readonly via: 'socket';
}
export interface Operate {
  /** `backends` only where a back end is configured. */
  readonly rings: Readonly<Partial<Record<RingName, Keys>> & { tokens: Keys }>;
  readonly leases: () => Promise<LeasesStatus>;
  readonly revoke: Revoke;
  readonly approvals: Approvals;
  readonly verifiers: () => readonly SeenVerifier[];
  readonly backends: Backends;
  readonly explain: (id: string) => Promise<{ readonly story: readonly Told[]; readonly words: readonly string[] }>;
  readonly reload: (by: Operator) => Promise<Report>;
  readonly status: () => Promise<object>;
}
