/** Each page's module, loaded when it is first looked at: what is broken in one is its own trouble. */
import type { PageProps, VNode } from './kit.ts';

type PageModule = { readonly Page: (props: PageProps) => VNode };

export const pages: Readonly<Record<string, () => Promise<PageModule>>> = {
  now: () => import('./page-now.ts'),
  approvals: () => import('./page-approvals.ts'),
  agents: () => import('./page-agents.ts'),
  explorer: () => import('./page-explorer.ts'),
  playground: () => import('./page-playground.ts'),
  keys: () => import('./page-keys.ts'),
  health: () => import('./page-health.ts'),
  me: () => import('./page-me.ts'),
};
