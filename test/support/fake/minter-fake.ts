/** A kind whose back end is a server over HTTP (fake-backend.ts), so that it can be slow, dead, and outlive a broker that is killed. */
import { randomUUID } from 'node:crypto';
import type { ReadRegistration } from '../../../src/bundle/bundle.ts';
import { refuse, Unavailable } from '../../../src/errors.ts';
import type { Minter } from '../../../src/mint/minter.ts';
import { isObject, parseJson } from '../../../src/wire/json.ts';
import { no, ok } from '../../../src/wire/result.ts';

interface FakeSettings {
  readonly role: string;
}
export const readFake: ReadRegistration = ({ role, ...unknown }) => {
  const flaws = Object.keys(unknown).map((name) => `there is no setting ${name}`);
  if (typeof role !== 'string' || !/^[a-z]{1,16}$/.test(role)) flaws.push('role must be lower-case letters');
  return flaws.length > 0 ? no(flaws) : ok({ where: `fake/${String(role)}`, settings: { role } });
};

export interface FakeOptions {
  /** Of the back end. */
  readonly address: string;
  /** The operator lets us list. */
  readonly listing: boolean;
}
export function fakeMinter({ address, listing }: FakeOptions): Minter {
  async function call(method: string, path: string, signal: AbortSignal, body?: object): Promise<{ status: number; said: unknown }> {
    try {
      const answer = await fetch(`${address}${path}`, { method, signal, redirect: 'error', ...(body && { body: JSON.stringify(body) }) });
      const said = parseJson((await answer.text()) || 'null');
      if (!said.ok || answer.status >= 500) throw new Error('no answer');
      return { status: answer.status, said: said.value };
    } catch (fault) {
      throw new Unavailable('fake', fault);
    }
  }
  const minter: Minter = {
    kind: 'fake',
    prepare(job, grant) {
      const { registration, call: action } = job;
      if (!registration || !action) return refuse('mint_refused');
      if (job.material) return refuse('request_malformed', { detail: 'material' });
      const { role } = registration.settings as FakeSettings;
      const lease = { id: `lea_${randomUUID()}`, txn: grant.txn, kind: 'fake', where: registration.where, exp: grant.exp } as const;
      return ok({
        lease: { ...lease, cap: registration.cap },
        async run({ signal }) {
          const { status, said } = await call('POST', '/make', signal, { role, txn: grant.txn, exp: grant.exp });
          if (status === 429) return refuse('mint_backpressure', { detail: 'fake_busy' });
          if (status === 403) return refuse('mint_refused', { detail: 'fake_denied' });
          if (!isObject(said)) throw new Unavailable('fake');
          const { user, password, handle, name, exp } = said as Record<string, string | number>;
          const token = Buffer.from(JSON.stringify({ user, password })).toString('base64url');
          const made = { ...lease, handle: String(handle), name: String(name), exp: Number(exp) };
          return ok({ kind: 'fake', token, effectiveExpiry: Number(exp), lease: made });
        },
      });
    },
    async revoke({ handle, exp }, { signal }) {
      if (handle === undefined) return { end: 'dies', at: exp };
      const { status } = await call('DELETE', `/made/${handle}`, signal);
      return { end: status === 204 || status === 404 ? 'revoked' : 'unknown' };
    },
    async describe({ signal }) {
      const { said } = await call('GET', '/health', AbortSignal.any([signal, AbortSignal.timeout(1_000)]));
      const isWell = isObject(said) && said['well'] === true;
      return { ready: isWell, detail: isWell ? 'it answers' : 'it is sealed' };
    },
  };
  if (!listing) return minter;
  return {
    ...minter,
    async strays(named, olderThan, { signal }) {
      const { said } = await call('GET', '/made', signal);
      const all = Array.isArray(said) ? (said as { name: string; at: number }[]) : [];
      let ended = 0;
      const found = all.filter(({ name, at }) => !named.has(name) && at < olderThan);
      for (const { name } of found) if ((await call('DELETE', `/named/${name}`, signal)).status === 204) ended++;
      return { ended, left: found.length - ended };
    },
  };
}
