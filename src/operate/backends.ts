/** What people ask of back ends: what stands there, one credential to try, and its end. Recorded as everything is. */
import type { Bundles } from '../bundle/bundle.ts';
import { type Result, refuse } from '../errors.ts';
import { issue, type Lent } from '../mint/issue.ts';
import { ending, leaseKey, readLease } from '../mint/lease.ts';
import type { Health, Minters } from '../mint/minter.ts';
import type { Draft, EpochSeconds, Grant, Id, Lease, Registration, Tool, ToolServer, World } from '../model.ts';
import { rootOf } from '../record/entry.ts';
import type { Recorder } from '../record/record.ts';
import type { LeaseDesk } from '../settle-leases.ts';
import type { Store } from '../store/store.ts';
import { digest, EMPTY_DIGEST } from '../wire/digest.ts';
import type { JsonObject } from '../wire/json.ts';
import { no, ok } from '../wire/result.ts';

/** As served at GET /operator/backends. */
export interface BackendsStatus {
  readonly backends: readonly { readonly kind: string; readonly ready: boolean; readonly detail: string; readonly standing: boolean }[];
  readonly registrations: readonly RegistrationStatus[];
  /** Names of variables of the broker's own environment that may hold a secret that stands. */
  readonly environment: readonly string[];
}
export interface RegistrationStatus {
  readonly server: string;
  readonly tool: string;
  readonly kind: string;
  readonly deliver: Registration['deliver'];
  readonly where: string;
  readonly cap: number;
  readonly standing: boolean;
  readonly schema: JsonObject;
  readonly hidden: boolean;
}
export interface Trial {
  readonly server: string;
  readonly tool: string;
  readonly kind: string;
  readonly arguments?: JsonObject;
  readonly material?: JsonObject;
  /** Hand it out to the one who asks, who may open the socket; otherwise nobody is given it. */
  readonly show?: boolean;
}
/** As served at POST /operator/backends/mint. */
export interface Tried {
  readonly lease?: string;
  readonly txn: string;
  readonly exp: EpochSeconds;
  readonly seconds: number;
  readonly milliseconds: number;
  readonly credential?: string;
}
/** As served at POST /operator/leases/<id>/end. `gone`: its end is certain; `isFree`: its back end has nothing left of it. */
export interface EndedLease {
  readonly state: 'ending' | 'gone';
  readonly isFree: boolean;
}
export interface Backends {
  status(): Promise<BackendsStatus>;
  /** Errors: not_found, arguments_bad, and whatever refuses a redemption. Its lease counts, and ends within a minute at most. */
  mint(trial: Trial, by: { readonly name: string }): Promise<Result<Tried>>;
  /** Waits a little for the back end. Errors: not_found; state_conflict where it moved meanwhile. */
  end(id: string, by: { readonly name: string }): Promise<Result<EndedLease>>;
}
export interface BackendsRooms {
  readonly store: Store;
  readonly world: World;
  readonly record: Recorder;
  readonly bundles: Bundles;
  readonly minters: Minters;
  readonly lent: Lent;
  readonly leases: LeaseDesk;
  readonly environment: Readonly<Record<string, string | undefined>>;
}
const TRIAL_SECONDS = 60;
const HEALTH_MS = 1_000;
const WAIT_MS = 5_000;
const POLL_MS = 25;
const STANDING_NAMES = 'VAULT_TOKEN VAULT_SECRET_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_WEB_IDENTITY_TOKEN_FILE PGPASSWORD'.split(
  ' ',
);

export function createBackends(rooms: BackendsRooms): Backends {
  const { store, world, record, bundles, minters, lent, leases, environment } = rooms;

  /** One request, one draft; a no and a fault are recorded as everywhere. */
  async function conduct<T>(by: { readonly name: string }, work: (draft: Draft) => Promise<Result<T>>): Promise<Result<T>> {
    const draft = record.open('operator');
    draft.note({ by: by.name });
    try {
      const outcome = await work(draft);
      return outcome.ok ? outcome : no(await record.refuse(draft, outcome.error));
    } catch (fault) {
      return no(await record.fault(draft, fault));
    }
  }
  async function pause(ms: number): Promise<void> {
    await new Promise((resolve) => world.after(ms).addEventListener('abort', resolve, { once: true }));
  }

  return {
    async status() {
      const asked = [...minters.values()].filter(({ kind }) => kind !== 'jwt');
      const backends = await Promise.all(
        asked.map(async (minter) => {
          const away = (): Health => ({ ready: false, detail: 'it cannot be reached' });
          const { ready, detail, standing = false } = await minter.describe({ signal: world.after(HEALTH_MS) }).catch(away);
          return { kind: minter.kind, ready, detail, standing };
        }),
      );
      const environmentNames = STANDING_NAMES.filter((name) => environment[name] !== undefined);
      return { backends, registrations: bundles.current().servers.all.flatMap(registrationsOf), environment: environmentNames };
    },

    mint: (trial, by) =>
      conduct(by, async (draft) => {
        const bundle = bundles.current();
        const server = bundle.servers.byId(trial.server);
        const tool = server?.tools.get(trial.tool);
        const registration = tool?.credentials.get(trial.kind);
        const minter = minters.get(trial.kind);
        if (!server || !tool || !registration || !minter) return refuse('not_found');
        draft.note({ bundle: bundle.hash, resource: server.resource, tool: tool.name, credential: trial.kind, detail: 'trial' });
        if (trial.arguments && tool.check(trial.arguments) !== undefined) return refuse('arguments_bad');
        const call = {
          resource: server.resource,
          tool: tool.name,
          digest: trial.arguments ? digest(trial.arguments) : EMPTY_DIGEST,
          ...(trial.arguments && { arguments: trial.arguments }),
        };
        const { material } = trial;
        const job = { kind: trial.kind, server, call, registration, subject: by.name, actors: [], ...(material && { material }) };
        const began = world.elapsed();
        const issued = await issue(minter, job, trialGrant(draft, registration, world.now()), [], draft, lent);
        if (!issued.ok) return issued;
        const { grant, credential, expiresIn } = issued.value;
        return ok({
          ...(credential.lease && { lease: `lea_${rootOf(draft.id)}` }),
          txn: grant.txn,
          exp: credential.effectiveExpiry,
          seconds: expiresIn,
          milliseconds: Math.round(world.elapsed() - began),
          ...(trial.show === true && { credential: credential.token }),
        });
      }),

    async end(id, by) {
      const key = leaseKey(id as Lease['id']);
      const look = async () => {
        const [found] = (await store.look([key])).found;
        return found && readLease({ key, ...found });
      };
      const begun = await conduct(by, async (draft) => {
        const kept = await look();
        if (!kept) return refuse('not_found');
        const { state, txn, kind, story } = kept.record;
        draft.note({ ...story, txn, credential: kind });
        if (state === 'gone' || state === 'ending') return ok(undefined);
        return record.commit(draft, 'revoked', [ending(kept, 'operator', draft.now)]);
      });
      if (!begun.ok) return begun;
      leases.wake();
      for (const limit = world.elapsed() + WAIT_MS; ; await pause(POLL_MS)) {
        const kept = await look();
        const isGone = !kept || kept.record.state === 'gone';
        if (isGone || world.elapsed() > limit) return ok({ state: isGone ? 'gone' : 'ending', isFree: kept?.record.isFree === true });
      }
    },
  };
}

const registrationsOf = (server: ToolServer): readonly RegistrationStatus[] =>
  [...server.tools.values()].flatMap((tool: Tool) =>
    [...tool.credentials.values()].map(({ kind, deliver, where, cap, standing }) => {
      const { name, schema, hidden } = tool;
      return { server: server.id, tool: name, kind, deliver, where, cap, standing: standing === true, schema, hidden };
    }),
  );
/** For nobody's action: its story begins and ends with the operator's. */
function trialGrant(draft: { readonly id: Id<'exc'> }, { ttlSeconds = TRIAL_SECONDS }: Registration, now: EpochSeconds): Grant {
  const root = rootOf(draft.id);
  const exp = now + Math.min(ttlSeconds, TRIAL_SECONDS);
  return { jti: `tok_${root}`, txn: `txn_${root}`, iat: now, exp, scope: '', claims: {}, policies: [] };
}
