/** Each page's module, loaded when it is first looked at: what is broken in one is its own trouble. */
import { Empty, html, type PageProps, type VNode } from './kit.ts';

export type PageModule = { readonly Page: (props: PageProps) => VNode };
const notYet = async (): Promise<PageModule> => ({
  Page: () => html`<${Empty} title="This page is being built.">Look at Approvals meanwhile.<//>`,
});

export const pages: Readonly<Record<string, () => Promise<PageModule>>> = {
  now: () => import('./page-now.ts'),
  approvals: () => import('./page-approvals.ts'),
  agents: () => import('./page-agents.ts'),
  explorer: () => import('./page-explorer.ts'),
  playground: () => import('./page-playground.ts'),
  keys: () => import('./page-keys.ts'),
  health: () => import('./page-health.ts'),
  me: notYet,
};
