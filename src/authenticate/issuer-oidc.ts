/** Tokens of one trusted issuer (wire.md §2): who its people, services and workloads are. Knows its keys and claims; may not know agents beyond their client ids there. */
import { ConfigError, type Result, refuse } from '../errors.ts';
import type { Draft } from '../model.ts';
import { isObject, type Json, type JsonObject } from '../wire/json.ts';
import { type RemoteKeysOptions, remoteKeys } from '../wire/jwks-remote.ts';
import { type Claims, checkToken, type Expected } from '../wire/jws.ts';
import { TYP_ACCESS_TOKEN, TYPE_ACCESS_TOKEN, TYPE_ID_JAG, TYPE_ID_TOKEN, TYPE_JWT } from '../wire/oauth.ts';
import { remembered } from '../wire/remembered.ts';
import { ok } from '../wire/result.ts';
import type { Issuer, Proved, Shown } from './authenticate.ts';

export interface OidcIssuerOptions {
  readonly id: string;
  readonly issuer: string;
  readonly vouches: readonly ('person' | 'service' | 'agent')[];
  /** Agent id here → client id there. */
  readonly clients: Readonly<Record<string, string>>;
  readonly servers?: readonly string[] | undefined;
  /** Cedar attribute ← claim. */
  readonly attributes?: Readonly<Record<string, string>>;
  /** `typ` of its access tokens, where it is not RFC 9068's. */
  readonly accessTokenTyp?: string;
  readonly maxLifetimeSeconds?: number;
  /** Found by discovery when absent. */
  readonly jwksUri?: string | undefined;
  /** The broker's own issuer: the `aud` of what is meant for it. */
  readonly audience: string;
  /** Epoch seconds. */
  readonly now: () => number;
  readonly fetch?: typeof fetch;
  readonly keys?: Omit<RemoteKeysOptions, 'url' | 'now' | 'fetch'>;
}

/** draft-ietf-oauth-identity-assertion-authz-grant §3: the typ of an ID-JAG. */
const TYP_ID_JAG = 'oauth-id-jag+jwt';
type Vouched = 'person' | 'service' | 'agent';
/** How one type of token is read: what it may name, what it must look like, whom it must have been given to. */
interface Profile {
  readonly vouched: Vouched;
  readonly typ: Expected['typ'];
  readonly audience: string | undefined;
  readonly required?: readonly string[];
  /** The first claim that does not fit, as a flaw. */
  readonly fits?: (claims: Claims) => 'token_client' | 'token_events' | undefined;
}

/** Errors: ConfigError where two kinds of its tokens could stand for each other. */
export function oidcIssuer(options: OidcIssuerOptions): Issuer {
  const { id, issuer, audience, now, maxLifetimeSeconds = 3600 } = options;
  const accessTyp = normal(options.accessTokenTyp ?? TYP_ACCESS_TOKEN);
  const vouches = new Set<Vouched>(options.vouches);
  const clients = new Map(Object.entries(options.clients));
  const attributes = Object.entries(options.attributes ?? {});
  const servers = options.servers && new Set(options.servers);
  const problems = contradictions({ id, audience, accessTyp, vouches, clients });
  if (problems.length > 0) throw new ConfigError(problems);
  const keys = remoteKeys({
    ...options.keys,
    url: options.jwksUri ?? { issuer },
    now,
    ...(options.fetch && { fetch: options.fetch }),
  });

  const signatures = remembered({ now });

  function profile({ type, agent }: Shown): Profile | undefined {
    const there = agent === undefined ? undefined : clients.get(agent);
    switch (type) {
      case TYPE_ID_TOKEN: // OpenID Connect Core §2, §3.1.3.7; a logout token has `events` (Back-Channel Logout §2.4)
        return {
          vouched: 'person',
          typ: ['JWT', undefined],
          audience: there,
          fits: (claims) => ('events' in claims ? 'token_events' : 'azp' in claims && claims['azp'] !== there ? 'token_client' : undefined),
        };
      case TYPE_ACCESS_TOKEN: // RFC 9068 §2.2
        return { vouched: 'person', typ: [accessTyp], audience, fits: (claims) => givenTo(claims, there) };
      case TYPE_ID_JAG:
        return {
          vouched: 'person',
          typ: [TYP_ID_JAG],
          audience,
          required: ['jti', 'client_id'],
          fits: (claims) => (agent !== undefined && claims['client_id'] === agent ? undefined : 'token_client'),
        };
      case TYPE_JWT: // a workload: shown as client assertion while there is no client yet, else as subject
        return { vouched: agent === undefined ? 'agent' : 'service', typ: ['JWT', undefined], audience };
      default:
        return undefined;
    }
  }

  return {
    id,
    issuer,
    vouches,
    ...(servers && { servers }),
    clientId: (agent) => clients.get(agent),
    async prove(shown: Shown, draft: Draft): Promise<Result<Proved>> {
      const fit = profile(shown);
      if (!fit) return refuse('type_unsupported', { detail: 'subject_token_type' });
      if (!vouches.has(fit.vouched)) return refuse('subject_bad', { detail: 'issuer_vouches' });
      if (fit.audience === undefined) return refuse('subject_bad', { detail: 'client_unmapped' });
      const checked = await checkToken(
        shown.token,
        keys,
        {
          typ: fit.typ,
          algs: ['ES256', 'RS256'],
          issuer,
          audience: fit.audience,
          maxLifetimeSeconds,
          now: draft.now,
          remembered: signatures,
          ...(fit.required && { required: fit.required }),
        },
        draft,
      );
      if (!checked.ok)
        return refuse(checked.error === 'keys_unavailable' ? 'issuer_unavailable' : 'subject_bad', { detail: checked.error });
      const claims = checked.value;
      const misfit = fit.fits?.(claims);
      if (misfit) return refuse('subject_bad', { detail: misfit });
      const unbound = bindingFlaw(claims['cnf'], shown.jkt);
      if (unbound) return refuse('subject_binding', { detail: unbound });
      return ok({
        who: { issuer: id, subject: claims.sub, attributes: pickAttributes(claims, attributes) },
        iat: claims.iat,
        exp: claims.exp,
        ...(typeof claims['jti'] === 'string' && { jti: claims['jti'] }),
        ...('may_act' in claims && { mayAct: mayAct(claims['may_act']) }),
        ...('act' in claims && { act: claims['act'] }),
      });
    },
  };
}

/** `client_id` (RFC 9068 §2.2) or `azp`: one at least, and each that stands there names this agent's client. */
function givenTo(claims: Claims, there: string | undefined): 'token_client' | undefined {
  const named = ['client_id', 'azp'].filter((name) => name in claims);
  return there !== undefined && named.length > 0 && named.every((name) => claims[name] === there) ? undefined : 'token_client';
}

/** RFC 7800: a token bound to a key is good in that key's hands alone; a binding we cannot check is not ignored. */
function bindingFlaw(cnf: Json | undefined, jkt: string | undefined): 'cnf_form' | 'cnf_unproven' | undefined {
  if (cnf === undefined) return undefined;
  if (!isObject(cnf) || Object.keys(cnf).length !== 1 || typeof cnf['jkt'] !== 'string') return 'cnf_form';
  return cnf['jkt'] === jkt ? undefined : 'cnf_unproven';
}

/** A malformed gate is a closed one: it names nobody. */
function mayAct(value: Json | undefined): NonNullable<Proved['mayAct']> {
  if (!isObject(value)) return {};
  const { iss, sub } = value;
  return { ...(typeof iss === 'string' && { iss }), ...(typeof sub === 'string' && { sub }) };
}

const pickAttributes = (claims: Claims, wanted: readonly (readonly [string, string])[]): JsonObject =>
  Object.fromEntries(wanted.flatMap(([name, claim]) => (Object.hasOwn(claims, claim) ? [[name, claims[claim] as Json]] : [])));

/** As `readJws` compares them. */
function normal(typ: string): string {
  const lower = typ.toLowerCase().replace(/^application\//, '');
  return lower === 'jwt' ? 'JWT' : lower;
}

function contradictions(o: {
  readonly id: string;
  readonly audience: string;
  readonly accessTyp: string;
  readonly vouches: ReadonlySet<Vouched>;
  readonly clients: ReadonlyMap<string, string>;
}): readonly string[] {
  const problems: string[] = [];
  if (o.accessTyp === 'JWT' && o.vouches.has('person') && o.vouches.size > 1)
    problems.push(
      `issuers.${o.id}: access tokens of typ JWT cannot be told from workload tokens; let another registration vouch for workloads`,
    );
  if ([TYP_ID_JAG, ''].includes(o.accessTyp)) problems.push(`issuers.${o.id}.accessTokenTyp: belongs to another kind of token`);
  if ([...o.clients.values()].includes(o.audience))
    problems.push(`issuers.${o.id}.clients: this broker's issuer cannot be a client id there`);
  return problems;
}
