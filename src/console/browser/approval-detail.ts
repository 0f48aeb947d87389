/** One approval: what would be done, for whom and why, who has to agree, and the decision. */
import { type Approval, agreed, barOf, stateOf, TONE, type Vote, WORD } from './approval.ts';
import { Decide } from './approval-decide.ts';
import { Steps, What } from './approval-form.ts';
import { aftermath, BARRED } from './approval-words.ts';
import {
  AgentName,
  Ago,
  api,
  Badge,
  base,
  Copy,
  Empty,
  html,
  type Me,
  Person,
  spanOf,
  Text,
  timeOf,
  useEffect,
  useLoad,
  useNow,
  useState,
  type VNode,
  When,
} from './kit.ts';

const ASK_MS = 5_000;
interface DetailProps {
  readonly id: string;
  readonly me: Me;
  readonly go: (path: string) => void;
}
export function Detail({ id, me, go }: DetailProps): VNode {
  const loaded = useLoad<Approval>(`/operator/approvals/${id}`, { everyMs: ASK_MS });
  const back = html`<p class="back"><a href=${`${base}/console/approvals`}>← All approvals</a></p>`;
  if (loaded.error?.status === 404 && !loaded.data)
    return html`${back}<${Empty} title="There is no approval of this name.">
      <p>An approval is forgotten a day after its end; its story stays in the ledger.</p>
      <p><a class="button" href=${`${base}/console/explorer/${id}`}>Find it in the ledger</a></p>
    <//>`;
  return html`${back}<${When} loaded=${loaded}>${(one: Approval) => html`<${Shown} one=${one} me=${me} go=${go} reload=${loaded.reload} />`}<//>`;
}
function Shown({ one, me, go, reload }: Omit<DetailProps, 'id'> & { readonly one: Approval; readonly reload: () => void }): VNode {
  const now = useNow();
  const state = stateOf(one, now);
  const bar = barOf(one, me, now);
  useEffect(() => {
    // How long somebody looked before they decided is measured: whoever always decides at once is told.
    if (bar === undefined) api.post(`/operator/approvals/${one.id}/seen`).catch(() => undefined);
  }, [one.id, bar === undefined]);
  const [chosen, setChosen] = useState<readonly number[]>(() => (one.steps ?? []).flatMap((step, at) => (step.needs_approval ? [at] : [])));
  return html`<article class="approval">
    <header class="approval-head">
      <p class="approval-state"><${Badge} tone=${TONE[state]}>${WORD[state]}<//>
        ${state === 'pending' && html`<span class=${one.until - now < 120 ? 'left urgent' : 'left'}><strong>${spanOf(one.until - now)}</strong> left</span>`}
        <span class="quiet">asked <${Ago} at=${one.made} /></span></p>
      <h1><${AgentName} id=${one.client} /> ${state === 'pending' ? 'wants' : 'wanted'} to ${one.steps ? `run ${one.steps.length} steps` : html`run <span class="tool"><${Text}>${one.tool}<//></span>`}</h1>
      <p class="for">on behalf of <${Person} name=${one.subject} />${one.subject === me.name ? ' — that is you' : ''}, at <code class="quiet"><${Text}>${one.resource}<//></code></p>
      ${one.description !== undefined && html`<p class="description">${one.description}</p>`}
    </header>
    <div class="approval-body">
      <div class="stack">
        ${one.steps ? html`<${Steps} one=${one} chosen=${chosen} choose=${bar === undefined ? setChosen : undefined} />` : html`<${What} one=${one} />`}
        <section class="card" aria-labelledby="why"><h2 id="why">Why, in the agent’s words</h2>
          ${
            one.purpose === undefined
              ? html`<p class="quiet">It gave no reason.</p>`
              : html`<blockquote class="quoted"><${Text}>${one.purpose}<//></blockquote><p class="quiet small">Written by the agent, checked by nobody. Decide by what it would do.</p>`
          }
        </section>
        <${History} one=${one} />
      </div>
      <div class="stack side">
        ${
          bar === undefined
            ? html`<${Decide} one=${one} steps=${one.steps && chosen} done=${reload} />`
            : html`<${Closed} one=${one} me=${me} go=${go} />`
        }
        <${Who} one=${one} me=${me} />
        <section class="card small" aria-labelledby="ids"><h2 id="ids">For the record</h2>
          <dl class="facts"><dt>Approval</dt><dd><${Copy} text=${one.id} /></dd>
            <dt>Arguments</dt><dd><${Copy} text=${one.arguments_digest} /></dd>
            <dt>Bundle</dt><dd><${Copy} text=${one.bundle} label=${`${one.bundle.slice(0, 16)}…`} /></dd>
            <dt>Asked</dt><dd>${timeOf(one.made)}</dd><dt>Ends</dt><dd>${timeOf(one.until)}${one.latest > one.until ? `, ${timeOf(one.latest)} at the latest` : ''}</dd>
            <dt>Gives</dt><dd>${one.credential === 'jwt' ? 'an action token' : html`a credential of <${Text}>${one.credential}<//>`}</dd></dl>
          <p><a href=${`${base}/console/explorer/${one.id}`}>Its story in the ledger</a></p></section>
      </div>
    </div>
  </article>`;
}
function Who({ one, me }: { readonly one: Approval; readonly me: Me }): VNode {
  const { who, quorum, confirm, proof } = one.demand;
  return html`<section class="card" aria-labelledby="who"><h2 id="who">Who has to agree</h2>
    <ul class="plain">${who.map((name) => html`<li><${Text}>${name}<//>${me.teams.includes(name) || me.name === name ? html` <${Badge} tone="info">you<//>` : ''}</li>`)}</ul>
    ${who.length > 0 && html`<p class="quiet">${quorum === 1 ? 'One person of these' : `${quorum} different people of these`}, and not the person it is done for. ${agreed(one)} of ${quorum} ${one.state === 'pending' ? 'so far' : 'agreed'}.</p>`}
    ${confirm && html`<p class="quiet">And <${Person} name=${one.subject} /> confirms for themselves.</p>`}
    ${proof && html`<p class="quiet">Signed with a passkey.</p>`}
    ${
      one.votes.length > 0 &&
      html`<ol class="votes">${one.votes.map(
        (vote: Vote) => html`<li>
        <p><${Person} name=${vote.by} /> <${Badge} tone=${vote.vote === 'approve' ? 'good' : 'bad'}>${vote.vote === 'deny' ? 'denied' : vote.confirms ? 'confirmed' : 'approved'}<//> <span class="quiet"><${Ago} at=${vote.at} /></span></p>
        <p class="quoted"><${Text}>${vote.reason}<//></p></li>`,
      )}</ol>`
    }
  </section>`;
}
interface Usage {
  readonly tools: readonly { readonly resource: string; readonly tool: string; readonly kinds: Readonly<Record<string, number>> }[];
}
const KINDS = [
  ['minted', 'granted'],
  ['refused', 'refused'],
  ['approved', 'approved'],
  ['denied', 'denied'],
  ['expired', 'expired'],
] as const;
/** What the ledger counts of this agent with this tool; nothing where it cannot be had. */
function History({ one }: { readonly one: Approval }): VNode | null {
  const { data } = useLoad<Usage>(one.steps ? undefined : `/operator/usage?agent=${encodeURIComponent(one.client)}`);
  const use = data?.tools.find(({ tool, resource }) => tool === one.tool && resource === one.resource);
  const counts = KINDS.flatMap(([kind, word]) => (use?.kinds[kind] ? [[word, use.kinds[kind]] as const] : []));
  if (counts.length === 0) return null;
  return html`<section class="card" aria-labelledby="history"><h2 id="history">This agent with this tool, ever</h2>
    <dl class="counts">${counts.map(([name, count]) => html`<div><dt>${name}</dt><dd>${count.toLocaleString('en')}</dd></div>`)}</dl></section>`;
}
function Closed({ one, me, go }: { readonly one: Approval; readonly me: Me; readonly go: (path: string) => void }): VNode {
  const now = useNow();
  const state = stateOf(one, now);
  const bar = barOf(one, me, now);
  return html`<section class=${`card closed ${TONE[state]}`} aria-labelledby="closed" aria-live="polite">
    <h2 id="closed">${bar === 'not_waiting' ? `This is ${WORD[state]}` : bar === 'already_voted' ? 'You have decided' : 'Not yours to decide'}</h2>
    <p>${bar === undefined || bar === 'not_waiting' ? aftermath(one, state) : BARRED[bar](one)}</p>
    <p><button type="button" onClick=${() => go('/console/approvals')}>What else waits</button></p>
  </section>`;
}
