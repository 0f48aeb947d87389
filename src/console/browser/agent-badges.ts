import type { Agent } from './agent-types.ts';
import { Badge, html, type VNode } from './kit.ts';

/** What stands in its way, and what somebody should look at. */
export function AgentBadges({ agent }: { readonly agent: Agent }): VNode {
  const { halts, suspended, owned, overdue, rights } = agent;
  const scope = halts[0]?.scope;
  const halted = scope === 'all' ? 'everything is halted' : scope === 'owner' ? 'owner halted' : 'halted';
  const stopped = halts.length > 0 || suspended || !owned;
  return html`<span class="ag-badges">
    ${halts.length > 0 && html`<${Badge} tone="bad">${halted}<//>`}
    ${suspended && html`<${Badge} tone="bad">suspended in the bundle<//>`}
    ${!owned && html`<${Badge} tone="bad">no owner<//>`}
    ${overdue && html`<${Badge} tone="warn">review overdue<//>`}
    ${rights === 0 && html`<${Badge} tone="warn">no rights<//>`}
    ${!stopped && !overdue && rights > 0 && html`<${Badge} tone="good">runs<//>`}
  </span>`;
}
/** Least is first to be looked at. */
export const urgency = ({ halts, suspended, owned, overdue }: Agent): number =>
  halts.length > 0 ? 0 : !owned || suspended ? 1 : overdue ? 2 : 3;
