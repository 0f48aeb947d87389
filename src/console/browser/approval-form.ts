/** What would be done, as the tool's own form says it, and what that differs in from the last time. */
import type { Approval, Step } from './approval.ts';
import { Ago, Badge, base, html, Json, Text, useLoad, useState, type VNode } from './kit.ts';

/** `compare`: with the last one that people agreed to; whoever may not see others' leaves it. */
export function What({ one, compare: may = true }: { readonly one: Approval; readonly compare?: boolean }): VNode {
  const { data } = useLoad<{ readonly approval?: Approval }>(may ? `/operator/approvals/${one.id}/similar` : undefined);
  const [compare, setCompare] = useState(true);
  const last = data?.approval;
  return html`<section class="card" aria-labelledby=${`what-${one.id}`}><h2 id=${`what-${one.id}`}>What it would do</h2>
    <${Json} value=${one.arguments} schema=${one.schema} before=${compare ? last?.arguments : undefined} />
    ${
      data &&
      html`<p class="quiet small compare">${
        last
          ? html`<label><input type="checkbox" checked=${compare} onChange=${() => setCompare(!compare)} /> Compared with the last one that was approved</label> — <a href=${`${base}/console/approvals/${last.id}`}><${Ago} at=${last.made} /></a>${JSON.stringify(last.arguments) === JSON.stringify(one.arguments) ? ': the same arguments' : ''}`
          : 'Nothing to compare it with: no such action of this agent was approved within the last day.'
      }</p>`
    }
  </section>`;
}
/** Of a plan: each step, and which of them are agreed to. */
export function Steps({
  one,
  chosen,
  choose,
}: {
  readonly one: Approval;
  readonly chosen: readonly number[];
  readonly choose?: ((next: readonly number[]) => void) | undefined;
}): VNode {
  const steps = one.steps ?? [];
  const toggle = (at: number): void =>
    choose?.(chosen.includes(at) ? chosen.filter((other) => other !== at) : [...chosen, at].sort((a, b) => a - b));
  return html`<section class="card" aria-labelledby=${`what-${one.id}`}><h2 id=${`what-${one.id}`}>What it would do${one.ordered ? ', in this order' : ', in any order'}</h2>
    <ol class="steps">${steps.map(
      (step: Step, at) => html`<li>
        <p class="step-head">${
          step.needs_approval
            ? html`<label><input type="checkbox" checked=${chosen.includes(at)} disabled=${!choose} onChange=${() => toggle(at)} /> <strong><${Text}>${step.tool}<//></strong></label>`
            : html`<strong><${Text}>${step.tool}<//></strong> <${Badge} tone="good">needs nobody<//>`
        }
          ${one.state !== 'pending' && html`<${Badge}>${step.state}<//>`}</p>
        <p class="quiet">${step.description ?? ''}</p>
        ${step.arguments ? html`<${Json} value=${step.arguments} schema=${step.schema} />` : html`<p class="quiet">Its arguments are hidden from the broker; only their digest is known.</p>`}
        ${step.purpose !== undefined && html`<p class="quoted"><${Text}>${step.purpose}<//></p>`}
      </li>`,
    )}</ol></section>`;
}
