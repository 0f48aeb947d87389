/** Whether agreeing still means something: how fast people decide, what they always agree to, and the rule that could take its place. */
import { AgentName, Ago, Badge, Copy, html, Person, spanOf, Table, Text, useLoad, useState, type VNode, When } from './kit.ts';

interface Approver {
  readonly who: string;
  readonly votes: number;
  readonly approved: number;
  readonly median_seconds: number;
  readonly shown: number;
  readonly quick: number;
  readonly last: number;
}
interface Proposal {
  readonly policy: string;
  readonly until: string;
  readonly bounds: readonly string[];
}
interface Habit {
  readonly agent: string;
  readonly server: string;
  readonly tool: string;
  readonly needs: readonly string[];
  readonly asked: number;
  readonly approved: number;
  readonly denied: number;
  readonly expired: number;
  readonly in_a_row: number;
  readonly median_seconds?: number;
  readonly last: number;
  readonly proposal?: Proposal;
  readonly no_proposal?: string;
}
export interface Told {
  readonly approvers: readonly Approver[];
  readonly habits: readonly Habit[];
}
const AT_ONCE = 20;
/** Fewer than this say nothing of a person. */
const ENOUGH = 5;
const WHY_NOT: Readonly<Record<string, string>> = {
  asked_too_seldom: 'No rule is proposed: it was not agreed to often enough in a row.',
  denied_lately: 'No rule is proposed: somebody said no within the last 30 days.',
  meant_to_be_asked: 'No rule is proposed: it is meant to be asked about.',
  not_in_force: 'The tool or the policy that asked is not in force any more.',
  unbounded: 'No rule is proposed: it has an argument that no rule could bound.',
};

/** An approver is told of themselves alone. */
export function Fatigue(): VNode {
  const loaded = useLoad<Told>('/operator/fatigue');
  if (loaded.data && loaded.data.approvers.length + loaded.data.habits.length === 0) return html``;
  return html`<section class="fatigue stack" aria-labelledby="fatigue">
    <div><h2 id="fatigue">Does agreeing still mean something?</h2>
      <p class="quiet">Under 2 s: agreed to within two seconds of having it on the screen.</p></div>
    <${When} loaded=${loaded}>${({ approvers, habits }: Told) => html`
      ${approvers.length > 0 && html`<${Deciders} all=${approvers} />`}
      ${habits.length > 0 && html`<${Habits} all=${habits} />`}`}<//>
  </section>`;
}
const Deciders = ({ all }: { readonly all: readonly Approver[] }): VNode => html`<${Table}
  caption="How fast each person decides, by their latest votes"
  rows=${all}
  keyOf=${({ who }: Approver) => who}
  columns=${[
    { title: 'Who decides', of: ({ who }: Approver) => html`<${Person} name=${who} />` },
    { title: 'Votes', number: true, of: ({ votes }: Approver) => votes },
    { title: 'Under 2 s', number: true, of: quickOf },
    { title: 'Yes', number: true, wide: true, of: ({ approved }: Approver) => approved },
    { title: 'Half within', number: true, wide: true, of: ({ median_seconds: half }: Approver) => spanOf(half) },
    { title: 'Last', wide: true, of: ({ last }: Approver) => html`<${Ago} at=${last} />` },
  ]}
/>`;
/** The longest row of yes stands first: what comes after many of them asks for no rule. */
function Habits({ all }: { readonly all: readonly Habit[] }): VNode {
  const [shown, setShown] = useState(AT_ONCE);
  return html`<div class="card"><h3>What is asked, and what is always answered yes</h3>
    <ul class="habits">${all.slice(0, shown).map((habit) => html`<${Row} habit=${habit} />`)}</ul>
    ${all.length > shown && html`<p><button type="button" onClick=${() => setShown(shown + AT_ONCE)}>${all.length - shown} more</button></p>`}</div>`;
}
function quickOf({ shown, quick }: Approver): VNode {
  if (shown === 0) return html`<span class="quiet">not known</span>`;
  const often = shown >= ENOUGH && quick * 2 > shown;
  return html`${often && html`<${Badge} tone="warn">hasty<//> `}${quick} of ${shown}`;
}
function Row({ habit }: { readonly habit: Habit }): VNode {
  const { agent, server, tool, needs, asked, approved, denied, expired, in_a_row: row, last, proposal } = habit;
  const no = habit.no_proposal && WHY_NOT[habit.no_proposal];
  return html`<li>
    <p><${AgentName} id=${agent} /> · <strong><${Text}>${`${server}/${tool}`}<//></strong> <span class="quiet">asks ${needs.length > 0 ? needs.map((name, at) => html`${at > 0 && ', '}<${Text}>${name}<//>`) : 'the person acted for'}</span>
      ${proposal && html` <${Badge} tone="warn">${row} times yes in a row<//>`}</p>
    <p class="quiet">asked ${asked} ${asked === 1 ? 'time' : 'times'}: ${approved} yes, ${denied} no, ${expired} in vain${habit.median_seconds === undefined ? '' : ` · half within ${spanOf(habit.median_seconds)}`} · last <${Ago} at=${last} /></p>
    ${proposal ? html`<${Rule} proposal=${proposal} />` : no && html`<p class="quiet small">${no}</p>`}
  </li>`;
}
const Rule = ({ proposal: { policy, until, bounds } }: { readonly proposal: Proposal }): VNode => html`<details class="proposal">
  <summary>A rule could take its place, until ${until}</summary>
  <p>It would let through, without asking, what was always agreed to, and nothing else:</p>
  <ul>${bounds.map((bound) => html`<li><${Text}>${bound}<//></li>`)}</ul>
  <pre tabindex="0" aria-label="The proposed rule">${policy}</pre>
  <p><${Copy} text=${policy} label="Copy the rule" /> <span class="quiet">Nothing is changed from here: somebody reads it, puts it into the bundle and tests it.</span></p>
</details>`;
