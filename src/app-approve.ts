/** Composition of approval: the room that waits, what people do there, and who ends what nobody decides. */
import { type Approve, createApprove } from './approve/approve.ts';
import { createAsking } from './approve/asking.ts';
import { createKeeper } from './approve/kept.ts';
import { webauthn } from './approve/passkey-webauthn.ts';
import { createPasskeyKeeper } from './approve/passkeys.ts';
import { createPlans, type Plans } from './approve/plans.ts';
import { createWithdraw, type Withdraw } from './approve/withdraw.ts';
import type { Config } from './config.ts';
import { haltClaims } from './decide/halts.ts';
import type { Secret } from './keys/secret.ts';
import { type Approvals, type ApprovalsRooms, createApprovals } from './operate/approvals.ts';
import { createProver } from './operate/approvals-proof.ts';
import { createPasskeys, type Passkeys } from './operate/passkeys.ts';

/** A wait that ends by itself is told at the latest so long after its end. */
const SWEEP_MS = 15_000;

export interface Approval {
  readonly approve: Approve;
  readonly plans: Plans;
  readonly withdraw: Withdraw;
  readonly approvals: Approvals;
  /** Where people can log in. */
  readonly passkeys?: Passkeys;
}
/** `held`: what is given back at the end. A sweep that fails is tried again at its next turn; until then every use checks for itself. */
export function openApproval(
  config: Pick<Config, 'issuer' | 'issuers' | 'console' | 'approvals'>,
  rooms: Omit<ApprovalsRooms, 'keeper' | 'people' | 'prover'> & { readonly secret: Secret; readonly onFault: (fault: unknown) => void },
  held: (() => void | Promise<void>)[],
): Approval {
  const { store, world, secret, onFault } = rooms;
  const keeper = createKeeper(secret);
  const issuers = new Map(config.issuers.map((issuer) => [issuer.id, issuer]));
  const people = new Set(config.issuers.filter(({ vouches }) => vouches.includes('person')).map(({ id }) => id));
  const shown = config.console?.login && { store, keeper: createPasskeyKeeper(secret), authenticators: webauthn(config.issuer) };
  const passkeys = shown && createPasskeys({ ...rooms, ...shown, people });
  const { perApprover } = config.approvals;
  const prover = shown && createProver({ ...shown, approvals: keeper });
  const approvals = createApprovals({ ...rooms, keeper, people, perApprover, ...(prover && { prover }) });
  const reaches = (id: string, server: string): boolean => {
    const issuer = issuers.get(id);
    return issuer !== undefined && (issuer.servers?.includes(server) ?? true);
  };
  const stopped = new AbortController();

  // Halts are looked at as they land, so that what a halt has ended is not there again once it is undone.
  let sweeping = Promise.resolve();
  const sweep = (): Promise<void> => {
    sweeping = sweeping.then(() => (stopped.signal.aborted ? undefined : approvals.sweep().catch(onFault)));
    return sweeping;
  };
  const later = (): void =>
    world.after(SWEEP_MS).addEventListener('abort', () => stopped.signal.aborted || void sweep().then(later), { once: true });
  later();
  void (async () => {
    for await (const _ of store.follow('halt/', stopped.signal)) await sweep();
  })().catch((fault) => stopped.signal.aborted || onFault(fault));
  held.push(async () => {
    stopped.abort();
    await sweeping;
  });
  // Opaque, and without a login it shows nothing.
  const asking = createAsking(keeper, config.console && ((id) => `${config.issuer}/console/approvals/${id}`));
  const parts = { store, keeper, asking, unhalted: haltClaims, reaches, proofs: shown?.authenticators.usable === true };
  const plans = createPlans({ ...parts, resource: `${config.issuer}/plans` });
  return { approve: createApprove({ ...parts, plans }), plans, withdraw: createWithdraw(parts), approvals, ...(passkeys && { passkeys }) };
}
