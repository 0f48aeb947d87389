import { type Result, refuse } from '../errors.ts';
import type { Credential, EpochSeconds, Grant, Job, Lease, Registration } from '../model.ts';
import type { JsonObject } from '../wire/json.ts';
import type { Waiting } from '../wire/jws.ts';
import { ok } from '../wire/result.ts';
import { beforeAbort } from './deadline.ts';
import type { SignLogin } from './login.ts';
import type { Health, Minter } from './minter.ts';
import { type VaultClient, type VaultClientOptions, type VaultLogin, VaultNo, vaultClient } from './minter-vault-client.ts';
import { type Form, type Made, toForm } from './minter-vault-forms.ts';
import type { VaultSettings } from './minter-vault-registration.ts';
import { vaultStrays } from './minter-vault-strays.ts';
import { VaultFault } from './minter-vault-transport.ts';

export interface VaultMinterOptions extends VaultClientOptions {
  /** `aud` of our logins. */
  readonly audience: string;
  /** The role that may list and end leases; absent: what no lease names is left to its end. */
  readonly sweep?: { readonly role: string };
  readonly login: SignLogin;
  readonly now: () => EpochSeconds;
  readonly random: (bytes: number) => Uint8Array;
  /** What the bundle in force registers of this kind: where strays are looked for. */
  readonly registered: () => readonly Registration[];
}

/**
 * One login an action, shortened to the granted end before anything is made with it, so that Vault ends both if every broker is dead; then one
 * secret at the registered path (wire.md §6). Three calls, and one to end it: the login takes what it made with it.
 */
export function vaultMinter(options: VaultMinterOptions): Minter {
  const { audience, login: sign, now, random, sweep } = options;
  const vault = vaultClient(options);

  async function logIn(job: Job & { readonly registration: Registration }, lease: Lease, waiting: Waiting): Promise<VaultLogin> {
    const { server, call, subject, actors } = job;
    const tool = call?.tool ?? '';
    const claims: JsonObject = { txn: lease.txn, tool, server: server.id, subject, agent: actors[0] ?? subject };
    const settings = job.registration.settings as VaultSettings;
    // Vault keeps an entity for each subject: one for a tool, not one for an action.
    const jwt = await sign({ audience, subject: `${server.id}:${tool}`, id: lease.id, now: now(), claims });
    return vault.login(settings.role, jwt, waiting);
  }

  /** Everything after the login; `ends` is when Vault ends it. */
  async function makeWith(login: VaultLogin, form: Form, path: string, lease: Lease, waiting: Waiting): Promise<Credential> {
    const from = now();
    const asked = secondsUntil(lease.exp, from);
    if (asked < 1) throw new VaultFault('vault_deadline');
    const { lifeSeconds } = await vault.renew(login, asked, waiting);
    // Periodic and unlimited tokens keep their life whatever they are asked.
    if (lifeSeconds < 1 || lifeSeconds > asked) throw new VaultFault('vault_lifetime');
    const ends = from + lifeSeconds;

    const at = now();
    const left = ends - at;
    if (left < 1) throw new VaultFault('vault_deadline');
    const body = form.body?.(left);
    const ask = { token: login.token, ...(body && { body }), ...(form.wrap && { wrapSeconds: left }) };
    const made = form.read(await vault.ask(path, ask, waiting));
    const effectiveExpiry = endOf(made, at, ends);
    // A certificate ends when it says, whatever becomes of its login.
    if (effectiveExpiry > lease.exp || effectiveExpiry <= at) throw new VaultFault('vault_lifetime');
    const handle = `${form.lives ? LIVES : ENDS}${login.token}`;
    return {
      kind: 'vault',
      token: Buffer.from(JSON.stringify(made.data)).toString('base64url'),
      effectiveExpiry,
      lease: { ...lease, exp: effectiveExpiry, handle, ...(made.lease && { name: made.lease.id }) },
    };
  }

  async function run(
    job: Job & { readonly registration: Registration },
    form: Form,
    lease: Lease,
    waiting: Waiting,
  ): Promise<Result<Credential>> {
    let login: VaultLogin | undefined;
    try {
      if (secondsUntil(lease.exp, now()) < 1) return refuse('deadline');
      login = await logIn(job, lease, waiting);
      return ok(await makeWith(login, form, (job.registration.settings as VaultSettings).path, lease, waiting));
    } catch (fault) {
      // Nothing is handed out: what the login may have made goes with it now, or at the granted end.
      if (login)
        await beforeAbort(
          vault.revoke(login.token, unhurried()).catch(() => undefined),
          waiting.signal,
        );
      if (!(fault instanceof VaultNo)) throw fault;
      if (fault.status === 429) return refuse('mint_backpressure', { detail: 'vault_busy' });
      // A login that has come to its end is denied like one that may not: which it was can only be told by the time.
      if (secondsUntil(lease.exp, now()) < 1) throw new VaultFault('vault_deadline');
      return refuse('mint_refused', { detail: login ? 'vault_denied' : 'vault_login_denied' });
    }
  }

  return {
    kind: 'vault',
    prepare(job: Job, grant: Grant) {
      const { registration, call, material } = job;
      if (!registration || !call || registration.kind !== 'vault') return refuse('mint_refused');
      const form = toForm(registration.settings as VaultSettings, material);
      if (!form.ok) return form;
      const exp = Math.min(grant.exp, grant.iat + (registration.ttlSeconds ?? Number.POSITIVE_INFINITY));
      if (secondsUntil(exp, now()) < 1) return refuse('deadline');
      const id = `lea_${Buffer.from(random(16)).toString('base64url')}` as const;
      const { where, cap } = registration;
      const lease = { id, txn: grant.txn, kind: 'vault', where, cap, exp };
      const { cap: _, ...held } = lease;
      return ok({ lease, run: (waiting) => run({ ...job, registration }, form.value, held, waiting) });
    },
    async revoke({ handle, exp }, waiting) {
      // Without a login there is nothing to say: whatever was made, was made by a login already shortened to this end.
      if (handle === undefined) return { end: 'dies', at: exp };
      try {
        await vault.revoke(handle.slice(ENDS.length), waiting);
      } catch {
        return { end: 'unknown' };
      }
      return handle.startsWith(LIVES) ? { end: 'dies', at: exp } : { end: 'revoked' };
    },
    describe: (waiting) => describe(vault, waiting),
    ...(sweep && { strays: vaultStrays({ ...options, vault, role: sweep.role }) }),
  };
}

/** First letter of a handle; the login's token follows. */
const [ENDS, LIVES] = ['-', '+'];
/** A whole second less: the clock here may be that much further than it says, and nothing outlives its grant. */
const secondsUntil = (end: EpochSeconds, now: EpochSeconds): number => end - now - 1;
const endOf = ({ end, lease }: Made, at: EpochSeconds, ends: EpochSeconds): EpochSeconds =>
  end ?? Math.min(ends, lease ? at + lease.seconds : ends);

/** Beside whoever waits: a deadline that has passed is no reason to leave something behind. */
const unhurried = (): Waiting => ({ signal: new AbortController().signal });
async function describe(vault: VaultClient, waiting: Waiting): Promise<Health> {
  try {
    const { initialized, sealed, standby } = await vault.health(waiting);
    if (initialized !== true) return { ready: false, detail: 'vault is not initialized' };
    if (sealed !== false) return { ready: false, detail: 'vault is sealed' };
    return standby === false ? { ready: true, detail: 'vault answers' } : { ready: false, detail: 'vault stands by' };
  } catch (fault) {
    const slow = fault instanceof VaultFault && fault.code === 'vault_deadline';
    return { ready: false, detail: slow ? 'vault is slow' : 'vault cannot be reached' };
  }
}
