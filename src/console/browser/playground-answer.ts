/** The answer: yes, no or people first; who of them may; what would turn it; and the policies in their source. */
import { AgentName, Ago, Badge, Empty, html, type JsonValue, Person, Text, type VNode } from './kit.ts';
import type { Flip, Played, Question } from './playground-types.ts';
import { RuleSource } from './rule.ts';

const TITLES = { allow: 'It would be granted', approval: 'People would be asked', deny: 'It would be refused' } as const;
const TONES = { allow: 'good', approval: 'warn', deny: 'bad' } as const;

export function Answer({ played, ask }: { readonly played: Played | undefined; readonly ask: (question: Question) => void }): VNode {
  if (!played)
    return html`<${Empty} title="Nothing has been asked yet."><p>Pick an agent, whom it acts for and a tool. You are told what would be decided, why, and the smallest change that would decide otherwise.</p><//>`;
  const { decision, code, reason, text, remedy, ttl_seconds: ttl, approval, halts, verdicts, policies, silent, budgets, flips } = played;
  return html`<section class=${`pg-verdict ${TONES[decision]}`} aria-label="Decision">
      <h2>${TITLES[decision]}</h2>
      ${decision === 'deny' && html`<p><code>${code ?? reason}</code> ${remedy ? remedy.text : text}</p>`}
      ${decision !== 'deny' && html`<p>Its token would live ${ttl} seconds.${approval ? ` First ${approval.words}.` : ''}</p>`}
      ${halts.map(({ by, at, reason: why, scope, target }) => html`<p>Halted (${scope} ${target}) by <${Person} name=${by} /> <${Ago} at=${at} />: <q><${Text}>${why}<//></q></p>`)}
    </section>
    ${
      verdicts.length > 0 &&
      html`<section class="card"><h2>${verdicts.length === 1 ? 'Who asks' : verdicts.length === 2 ? 'Both must be allowed' : 'All must be allowed'}</h2><ul class="pg-who">${verdicts.map(
        ({ as, who, allow, code: why, policies: by }) => html`<li>
          <${Badge} tone=${allow ? 'good' : 'bad'}>${allow ? 'may' : 'may not'}<//>
          <span>${who.includes(':') ? html`<${Person} name=${who} />` : html`<${AgentName} id=${who} />`} <span class="quiet">${as === 'subject' ? 'on whose behalf' : 'who acts'}</span></span>
          <span class="quiet">${allow ? by.join(', ') : by.length > 0 ? `${why}, by ${by.join(', ')}` : why === 'no_permit' ? 'no permit holds' : why}</span>
        </li>`,
      )}</ul></section>`
    }
    <${Flips} flips=${flips} decision=${decision} ask=${ask} />
    ${policies.length > 0 && html`<section class="card"><h2>The policies that decided</h2><div class="policies">${policies.map((rule) => html`<${RuleSource} key=${rule.id} rule=${rule} />`)}</div></section>`}
    ${silent.length > 0 && html`<section class="card"><h2>Permits for this tool that did not hold</h2><div class="policies">${silent.map((rule) => html`<${RuleSource} key=${rule.id} rule=${rule} open=${false} />`)}</div></section>`}
    ${
      budgets.length > 0 &&
      html`<section class="card"><h2>Budgets it would take from</h2><ul class="pg-who">${budgets.map(
        ({
          id,
          title,
          limit,
          left,
          amount,
        }) => html`<li><${Badge} tone=${amount <= left ? 'good' : 'bad'}>${amount <= left ? 'fits' : 'too much'}<//><span>${title} <span class="quiet">${id}</span></span>
        <span class="quiet">takes ${amount.toLocaleString('en')}; ${left.toLocaleString('en')} of ${limit.toLocaleString('en')} left</span></li>`,
      )}</ul></section>`
    }`;
}

const FATES = { allowed: ['good', 'granted'], approval: ['warn', 'people are asked'], refused: ['bad', 'refused'] } as const;
function Flips({
  flips,
  decision,
  ask,
}: {
  readonly flips: Played['flips'];
  readonly decision: Played['decision'];
  readonly ask: (question: Question) => void;
}): VNode {
  const { tried, complete, found } = flips;
  const unsure = complete ? '' : ' Not everything was tried: there may be a smaller one.';
  if (found.length === 0)
    return html`<section class="card pg-flips"><h2>The smallest change that would decide otherwise</h2>
      <p>None found: no single change to its arguments, ${decision === 'deny' ? 'the person, the tool or the agent makes it allowed' : 'the person, the tool or the agent changes it'}. ${tried} were tried.${unsure}</p></section>`;
  return html`<section class="card pg-flips"><h2>The smallest change that would decide otherwise</h2>
    <ol>${found.map((flip, index) => {
      const [tone, text] = FATES[flip.fate];
      return html`<li class=${index === 0 ? 'pg-nearest' : ''}><span><${Words} flip=${flip} /></span> <${Badge} tone=${tone}>${text}<//>
        <button type="button" class=${index === 0 ? 'primary' : ''} onClick=${() => ask(flip.question)}>Try it</button></li>`;
    })}</ol>
    <p class="quiet">${tried} single changes were decided, the nearest stands first.${unsure}</p></section>`;
}
function Words({ flip: { change, path, from, to } }: { readonly flip: Flip }): VNode {
  const name = html`<code><${Text}>${path.join('.')}<//></code>`;
  if (change === 'agent') return html`Another agent: <${AgentName} id=${String(to)} />`;
  if (change === 'tool') return html`Another tool: <code><${Text}>${String(to)}<//></code>`;
  if (change === 'chain') return html`Without <code><${Text}>${String(from)}<//></code> in between`;
  if (Array.isArray(from) && Array.isArray(to)) {
    const [gone, come] = [from.filter((one) => !to.includes(one)), to.filter((one) => !from.includes(one))];
    return html`${change === 'attribute' ? 'Were they ' : ''}${come.length > 0 ? html`with <${Value} value=${come[0] ?? null} /> in ` : html`without <${Value} value=${gone[0] ?? null} /> in `}${name}`;
  }
  if (to === null) return html`Leave out ${name}`;
  if (from === null) return html`Give ${name}: <${Value} value=${to} />`;
  const verb = typeof from === 'number' && typeof to === 'number' ? (to < from ? 'Lower' : 'Raise') : 'Change';
  return html`${verb} ${name} from <${Value} value=${from} /> to <${Value} value=${to} />`;
}
const Value = ({ value }: { readonly value: JsonValue }): VNode =>
  typeof value === 'number'
    ? html`<strong>${value.toLocaleString('en')}</strong>`
    : html`<strong><${Text} fold=${80}>${typeof value === 'string' ? value : JSON.stringify(value)}<//></strong>`;
