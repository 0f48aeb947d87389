/** Makes the credential. Knows the grant; may not know who was proved or why it was allowed. */
import type { Result } from '../errors.ts';
import type { Credential, Grant, Job, Lease } from '../model.ts';
import type { Waiting } from '../wire/jws.ts';
import type { CredentialKind } from '../wire/oauth.ts';

/** Makes one kind of credential. A new kind is one file here, one arm in config.ts, one line in app.ts. */
export interface Minter {
  readonly kind: CredentialKind;
  /** Renders the request and nothing else: everything that can be refused is refused here, before any intent. */
  prepare(job: Job, grant: Grant): Result<Order>;
  /** Idempotent. A lease without a handle is one whose mint never answered: end whatever it may have made. */
  revoke(lease: Lease, waiting: Waiting): Promise<Ending>;
  describe(waiting: Waiting): Promise<Health>;
  /**
   * Where the operator lets us list: ends what this kind made under registered prefixes before `olderThan` (epoch seconds) and whose name is
   * not in `named`. `left`: found, and not ended. Throws Unavailable(kind).
   */
  strays?(named: ReadonlySet<string>, olderThan: number, waiting: Waiting): Promise<Strays>;
}
export interface Strays {
  readonly ended: number;
  readonly left: number;
}
export interface Order {
  /** Present if and only if running leaves the process: it is recorded, under its cap, before `run`. */
  readonly lease?: Lease & { readonly cap: number };
  /** Errors: the back end says no, and nothing was made (`mint_refused`, `mint_backpressure`). Throws where it cannot know that: Unavailable(kind). */
  run(waiting: Waiting): Promise<Result<Credential>>;
}
export type Ending = { readonly end: 'revoked' } | { readonly end: 'dies'; readonly at: number } | { readonly end: 'unknown' };
export interface Health {
  readonly ready: boolean;
  readonly detail: string;
  /** It works by a secret that stands in this broker. */
  readonly standing?: boolean;
}
export type Minters = ReadonlyMap<CredentialKind, Minter>;
