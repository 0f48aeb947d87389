/** A back end in a few lines: accounts that live as long as their lease. What a new kind of credential is, whole; `toy.ts` puts it in place. */
import { randomUUID } from 'node:crypto';
import type { ReadRegistration } from '../../../src/bundle/bundle.ts';
import { refuse, Unavailable } from '../../../src/errors.ts';
import type { SignLogin } from '../../../src/mint/login.ts';
import type { Minter } from '../../../src/mint/minter.ts';
import type { Job } from '../../../src/model.ts';
import { isObject, type JsonObject } from '../../../src/wire/json.ts';
import { no, ok } from '../../../src/wire/result.ts';

export interface Account {
  readonly user: string;
  readonly password: string;
  readonly job: Job;
  readonly txn: string;
  readonly login: string;
  readonly exp: number;
}
/** The back end itself, in memory: what it has made, what has been ended, and how it does today. */
export const backEnd: { made: Account[]; ended: string[]; mood: 'good' | 'refuses' | 'dead' | 'slow' } = {
  made: [],
  ended: [],
  mood: 'good',
};

interface ToySettings {
  readonly role: string;
  readonly needs: readonly string[];
}
/** `role`, and `needs`: the arguments that an account is made for. */
export const readToy: ReadRegistration = ({ role, needs = [], ...unknown }, { tool }) => {
  const properties = tool.schema['properties'];
  const known = isObject(properties) ? Object.keys(properties) : [];
  const flaws = Object.keys(unknown).map((name) => `there is no setting ${name}`);
  if (typeof role !== 'string' || !/^[a-z]{1,16}$/.test(role)) flaws.push('role must be lower-case letters');
  if (!Array.isArray(needs) || !needs.every((name) => known.includes(String(name)))) flaws.push('needs must name arguments');
  if (flaws.length > 0) return no(flaws);
  return ok({ where: `toy/${role}`, settings: { role, needs } });
};

export function toyMinter({ audience, login }: { readonly audience: string; readonly login: SignLogin }): Minter {
  return {
    kind: 'toy',
    prepare(job, grant) {
      const { registration, call, material } = job;
      if (!registration || !call) return refuse('mint_refused');
      const { role, needs } = registration.settings as ToySettings;
      const args: JsonObject = call.arguments ?? {};
      if (needs.some((name) => args[name] === undefined)) return refuse('arguments_bad', { detail: 'arguments_absent' });
      const about = Object.fromEntries(needs.map((name) => [name, args[name] ?? null]));
      const { txn, exp } = grant;
      const lease = { id: `lea_${randomUUID()}`, txn, kind: 'toy', where: registration.where, exp } as const;
      return ok({
        lease: { ...lease, cap: registration.cap },
        async run({ signal }) {
          if (backEnd.mood === 'refuses') return refuse('mint_refused', { detail: 'toy_refused' });
          if (backEnd.mood === 'dead') throw new Unavailable('toy');
          if (backEnd.mood === 'slow') await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
          const proof = await login({ audience, subject: `${job.server.id}:${call.tool}`, id: lease.id, now: grant.iat, claims: { txn } });
          const account = { user: `${role}-${randomUUID()}`, password: randomUUID(), job, txn, login: proof, exp };
          backEnd.made.push(account);
          const { user, password } = account;
          const token = Buffer.from(JSON.stringify({ user, password, ...about, ...material })).toString('base64url');
          return ok({ kind: 'toy', token, effectiveExpiry: exp, lease: { ...lease, handle: user } });
        },
      });
    },
    async revoke({ handle }) {
      if (handle === undefined) return { end: 'unknown' };
      if (!backEnd.ended.includes(handle)) backEnd.ended.push(handle);
      return { end: 'revoked' };
    },
    describe: async () => ({ ready: backEnd.mood === 'good', detail: backEnd.mood }),
  };
}
