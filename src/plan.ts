/** The flow of a plan (wire.md §3.4): authenticate → decide on each step → who must agree, once → record → answer. Its steps are exchanges: broker.ts. */
import { type PlanStatus, type Plans, type Submitted, UNASKED_SECONDS } from './approve/plans.ts';
import type { Authenticator } from './authenticate/authenticate.ts';
import type { Bundles } from './bundle/bundle.ts';
import { overspent, sharesOf, spentOf, together } from './decide/budgets.ts';
import { decide } from './decide/decide.ts';
import { strictest } from './decide/demands.ts';
import { type Result, refuse } from './errors.ts';
import type { Bundle, Draft, World } from './model.ts';
import type { Recorder } from './record/record.ts';
import type { PlanRequest, PlanStatusRequest } from './request.ts';
import type { Store } from './store/store.ts';
import { no, ok } from './wire/result.ts';

export interface PlanRooms {
  readonly world: World;
  readonly store: Pick<Store, 'look'>;
  readonly bundles: Bundles;
  readonly authenticate: Authenticator;
  readonly plans: Plans;
  readonly record: Recorder;
}
export interface Planning {
  /** Asks people about all of it at once. Refused whole where a step is: `step` says which. */
  submit(request: Result<PlanRequest>, from?: () => string): Promise<Result<Planned>>;
  /** What became of each step. Leaves no entry: nothing happens. */
  status(request: Result<PlanStatusRequest>, from?: () => string): Promise<Result<PlanStatus>>;
}
export type Planned = Omit<Submitted, 'claims'> & { readonly asks: readonly boolean[] };

/** Refusals are values and faults are exceptions; either way one entry is written, and before the answer. */
export function createPlanning(rooms: PlanRooms): Planning {
  const { bundles, record } = rooms;
  async function conduct<I, T>(
    input: Result<I>,
    from: (() => string) | undefined,
    work: (input: I, bundle: Bundle, draft: Draft) => Promise<Result<T>>,
  ): Promise<Result<T>> {
    const draft = record.open('plan', from);
    try {
      if (!input.ok) return no(await record.refuse(draft, input.error));
      const bundle = bundles.current();
      draft.note({ bundle: bundle.hash });
      const outcome = await work(input.value, bundle, draft);
      return outcome.ok ? outcome : no(await record.refuse(draft, outcome.error));
    } catch (fault) {
      return no(await record.fault(draft, fault));
    }
  }
  return {
    submit: (request, from) => conduct(request, from, (input, bundle, draft) => submit(rooms, input, bundle, draft)),
    status: (request, from) =>
      conduct(request, from, async (input, bundle, draft) => {
        const caller = await rooms.authenticate.caller(input, bundle, draft);
        if (!caller.ok) return caller;
        const status = await rooms.plans.status(input.code, caller.value, draft);
        const marked = status.ok ? await record.mark(draft) : ok(undefined);
        return marked.ok ? status : marked;
      }),
  };
}

async function submit(rooms: PlanRooms, request: PlanRequest, bundle: Bundle, draft: Draft): Promise<Result<Planned>> {
  const { world, store, authenticate, plans, record } = rooms;
  const caller = await authenticate.caller(request, bundle, draft);
  if (!caller.ok) return caller;
  const steps = await authenticate.steps(request, caller.value, bundle, draft);
  if (!steps.ok) return steps;

  // Each by itself, and held against it again when it is taken: nothing is reserved for a plan.
  const shares = steps.value.map(({ asked }) => sharesOf(asked, bundle));
  const { sums } = await store.look([], shares.flat());
  const spent = [];
  const judged = [];
  const policies = new Set<string>();
  let seen = 0;
  for (const [step, { asked, facts }] of steps.value.entries()) {
    const own = shares[step] ?? [];
    const left = sums.slice(seen, seen + own.length);
    seen += own.length;
    spent.push(spentOf(own, left));
    const decision = await world.turn('decide', () => decide(asked, bundle, draft, own, left));
    for (const id of draft.facts.policies ?? []) policies.add(id);
    if (!decision.ok) {
      draft.note(facts);
      return refuse(decision.error.reason, { ...decision.error, step });
    }
    const { approval: demand, claims } = decision.value;
    judged.push({ asked, facts, claims, ...(demand && { demand }) });
  }
  draft.note({ policies: [...policies] });

  const demand = strictest(judged.flatMap((one) => one.demand ?? []));
  // What cannot be afforded as a whole nobody is asked about.
  const over = overspent(together(spent, demand?.ttlSeconds ?? UNASKED_SECONDS), true);
  const how = { ordered: request.ordered, ...(demand && { demand }), ...(over && { over: over.error }) };
  const submitted = await plans.submit(judged, how, draft);
  if (!submitted.ok) return submitted;
  const { claims, ...answer } = submitted.value;
  const recorded = await record.commit(draft, answer.state, claims);
  return recorded.ok ? ok({ ...answer, asks: judged.map((one) => one.demand !== undefined) }) : recorded;
}
