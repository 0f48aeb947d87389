import { type Result, refuse } from '../errors.ts';
import type { Agent, Bundle, Caller, Draft, EpochSeconds } from '../model.ts';
import { sha256 } from '../wire/digest.ts';
import { isObject, type Json } from '../wire/json.ts';
import { checkToken, peek, SKEW_SECONDS } from '../wire/jws.ts';
import { ok } from '../wire/result.ts';
import { ALGS, ASSERTION_LIFE_SECONDS, stands } from './client.ts';

export interface ActorCheck {
  readonly issuer: string;
  readonly maxActors: number;
}
/** A sub-agent that the client delegates to, by its own word. */
export interface Actor {
  readonly agent: Agent;
  readonly jkt: string;
  readonly exp: EpochSeconds;
  readonly act: Json | undefined;
}
const JKT = /^[A-Za-z0-9_-]{43}$/;

/** wire.md §2: signed by the sub-agent itself, for this broker, once, and naming the key it will hold. Errors: `actor_bad`, `unavailable`. */
export async function proveActor(check: ActorCheck, token: string, bundle: Bundle, draft: Draft): Promise<Result<Actor>> {
  const id = peek(token)?.['iss'];
  if (typeof id !== 'string') return refuse('actor_bad', { detail: 'token_form' });
  const agent = bundle.agents.byClient(id);
  if (!agent) return refuse('actor_bad', { detail: 'actor_unknown' });
  if (agent.identity.use !== 'jwks') return refuse('actor_bad', { detail: 'actor_federated' });
  const checked = await checkToken(
    token,
    agent.identity.keys,
    {
      typ: ['JWT', undefined],
      algs: ALGS,
      issuer: id,
      audience: check.issuer,
      maxLifetimeSeconds: ASSERTION_LIFE_SECONDS,
      now: draft.now,
      required: ['jti'],
    },
    draft,
  );
  if (!checked.ok) return refuse(checked.error === 'keys_unavailable' ? 'unavailable' : 'actor_bad', { detail: checked.error });
  const { sub, jti, iat, exp, cnf, act } = checked.value;
  if (sub !== id) return refuse('actor_bad', { detail: 'token_claim' });
  if (!isObject(cnf) || Object.keys(cnf).length !== 1 || typeof cnf['jkt'] !== 'string' || !JKT.test(cnf['jkt']))
    return refuse('actor_bad', { detail: 'cnf_form' });
  const once = `actor/${id}/${sha256(String(jti))}`;
  draft.spend({ once, issued: iat - SKEW_SECONDS, until: exp + SKEW_SECONDS, else: 'actor_replayed' });
  return ok({ agent, jkt: cnf['jkt'], exp, act });
}

/**
 * Who acts, outermost first: sub-agent, what its token nests, client, what the subject token nests (RFC 8693 §4.1). Errors: `actor_bad` or
 * `subject_bad` by where the offender stands, `suspended`, `owner_missing`.
 */
export function chain(
  check: ActorCheck,
  caller: Caller,
  actor: Actor | undefined,
  subjectAct: Json | undefined,
  bundle: Bundle,
): Result<readonly Agent[]> {
  const actors: Agent[] = [];
  const join = (agent: Agent, blame: 'actor_bad' | 'subject_bad'): Result<undefined> => {
    if (actors.some((a) => a.id === agent.id)) return refuse(blame, { detail: 'actor_twice' });
    if (actors.length >= check.maxActors) return refuse(blame, { detail: 'actor_depth' });
    actors.push(agent);
    return stands(agent, 'suspended');
  };
  const nested = (from: Json | undefined, blame: 'actor_bad' | 'subject_bad'): Result<undefined> => {
    // `join` ends the walk at maxActors, however deep the claim goes.
    for (let act = from; act !== undefined; act = act['act']) {
      if (!isObject(act)) return refuse(blame, { detail: 'act_form' });
      const { iss, sub } = act;
      if (typeof iss !== 'string' || typeof sub !== 'string') return refuse(blame, { detail: 'act_form' });
      const agent = iss === check.issuer ? bundle.agents.byClient(sub) : undefined;
      if (!agent) return refuse(blame, { detail: 'actor_unknown' });
      const joined = join(agent, blame);
      if (!joined.ok) return joined;
    }
    return ok(undefined);
  };
  const steps = [
    () => (actor ? join(actor.agent, 'actor_bad') : ok(undefined)),
    () => nested(actor?.act, 'actor_bad'),
    () => join(caller.client, 'actor_bad'),
    () => nested(subjectAct, 'subject_bad'),
  ];
  for (const step of steps) {
    const done = step();
    if (!done.ok) return done;
  }
  return ok(actors);
}
