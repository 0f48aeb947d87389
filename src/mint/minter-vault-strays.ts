/** What Vault holds under registered paths and no lease of ours names: made by a broker that died before it could say so. */
import type { EpochSeconds, Registration } from '../model.ts';
import { isObject } from '../wire/json.ts';
import type { Waiting } from '../wire/jws.ts';
import type { SignLogin } from './login.ts';
import type { Minter, Strays } from './minter.ts';
import { type VaultClient, VaultNo } from './minter-vault-client.ts';
import type { VaultSettings } from './minter-vault-registration.ts';
import { VaultFault } from './minter-vault-transport.ts';

export interface StraysOptions {
  readonly vault: VaultClient;
  readonly role: string;
  readonly audience: string;
  readonly login: SignLogin;
  readonly now: () => EpochSeconds;
  readonly random: (bytes: number) => Uint8Array;
  readonly registered: () => readonly Registration[];
}
/** In one pass: each is two calls, and more would melt what they are to relieve. The rest waits for the next. */
const A_PASS = 200;

/** The paths registered here must be this broker's alone: a lease that somebody else has made there is a stray to it. */
export function vaultStrays(options: StraysOptions): NonNullable<Minter['strays']> {
  const { vault, role, audience, login: sign, now, random, registered } = options;

  return async (named, olderThan, waiting): Promise<Strays> => {
    const paths = leased(registered().map(({ settings }) => settings as VaultSettings));
    if (paths.size === 0) return { ended: 0, left: 0 };
    const id = `swp_${Buffer.from(random(16)).toString('base64url')}`;
    // No tool has this subject: a server's name and a colon stand before each of theirs.
    const { token } = await said(vault.login(role, await sign({ audience, subject: 'sweep', id, now: now() }), waiting));
    try {
      const found: string[] = [];
      let untold = 0;
      for (const [path, canTell] of paths) {
        const ids = await said(vault.list(`sys/leases/lookup/${path}`, token, waiting));
        const unnamed = ids.filter((id) => !id.endsWith('/') && !named.has(`${path}/${id}`));
        if (canTell) found.push(...unnamed.map((id) => `${path}/${id}`));
        else untold += unnamed.length;
      }
      let ended = 0;
      let spared = 0;
      for (const lease_id of found.slice(0, A_PASS)) {
        const outcome = await end(lease_id, token, olderThan, waiting);
        if (outcome === 'ended') ended++;
        else if (outcome === 'spared') spared++;
      }
      return { ended, left: untold + found.length - ended - spared };
    } finally {
      await vault.revoke(token, waiting).catch(() => undefined); // it ends by itself
    }
  };

  async function end(lease_id: string, token: string, olderThan: EpochSeconds, waiting: Waiting): Promise<'ended' | 'spared' | 'left'> {
    try {
      const made = await ageOf(lease_id, token, waiting);
      if (made === undefined) return 'spared';
      // What was made a moment ago may be on its way into the ledger.
      if (!(made < olderThan)) return Number.isNaN(made) ? 'left' : 'spared';
      await vault.ask('sys/leases/revoke', { token, body: { lease_id, sync: true } }, waiting);
      return 'ended';
    } catch (fault) {
      // The engine that made it is away: Vault tries again, and so do we.
      if (fault instanceof VaultNo || (fault instanceof VaultFault && fault.code === 'vault_status')) return 'left';
      throw fault;
    }
  }
  /** When it was made, epoch seconds. Undefined: between list and lookup it came to its own end, and Vault knows it no more. */
  async function ageOf(lease_id: string, token: string, waiting: Waiting): Promise<number | undefined> {
    try {
      const { data } = await vault.ask('sys/leases/lookup', { token, body: { lease_id } }, waiting);
      return Date.parse(String(isObject(data) ? data['issue_time'] : undefined)) / 1000;
    } catch (fault) {
      if (fault instanceof VaultNo && fault.status === 400) return undefined;
      throw fault;
    }
  }
}

/**
 * The paths that lease, and whether a stray can be told there. Certificates and values have no lease: nothing would be listed. What is wrapped
 * has one whose name nobody sees before it is unwrapped: those who live look like strays, and all are left to their end.
 */
function leased(all: readonly VaultSettings[]): ReadonlyMap<string, boolean> {
  const found = new Map<string, boolean>();
  for (const one of all)
    if (one.form === 'database' || one.form === 'read') found.set(one.path, !one.wrap && found.get(one.path) !== false);
  return found;
}
/** The operator configured a sweep that Vault does not let us do. */
async function said<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (fault) {
    throw fault instanceof VaultNo ? new VaultFault('vault_status') : fault;
  }
}
