/** Starts the page that the address names, and stays: links within the console change the page without loading it anew. */

import { base } from './api.ts';
import { listenToKeys, showKeys } from './keyboard.ts';
import { Empty, html, type Me, Problem, render } from './kit.ts';
import { PAGES } from './list.ts';
import { logOut } from './logout.ts';
import { pages } from './pages.ts';
import { intoView } from './parts.ts';

const place = document.getElementById('page');
const me = JSON.parse(document.body.dataset['me'] ?? '{}') as Me;
const root = `${base}/console/`;

/** The page's name, and what follows it. */
function whereOf(address: string): { readonly name: string; readonly path: string } {
  const [, name = '', path = ''] = /^([a-z]*)(.*)$/s.exec(address.startsWith(root) ? address.slice(root.length) : '') ?? [];
  return { name, path };
}
let turn = 0;
let shown = '';
const OUT = 'logged out';
/** What was drawn is taken away by who drew it, or it would be taken to stand there still. */
function clear(): void {
  if (shown === '') place?.replaceChildren();
  else if (place) render(null, place);
}
async function show(): Promise<void> {
  if (!place) return;
  const mine = ++turn;
  const { name, path } = whereOf(location.pathname + location.search);
  const entry = PAGES.find((page) => page.name === name);
  const load = Object.hasOwn(pages, name) ? pages[name] : undefined;
  if (!entry || !load) return;
  document.title = `${entry.title} · Countersign`;
  for (const link of document.querySelectorAll<HTMLElement>('[data-page]')) {
    if (link === document.body) continue;
    if (link.dataset['page'] === name) {
      link.setAttribute('aria-current', 'page');
      intoView(link);
    } else link.removeAttribute('aria-current');
  }
  try {
    const { Page } = await load();
    if (mine !== turn) return;
    if (shown !== name) clear();
    shown = name;
    render(html`<${Page} key=${name} me=${me} go=${go} path=${path} />`, place);
  } catch {
    if (mine !== turn) return;
    clear();
    const again = (): void => location.reload();
    render(html`<${Problem} error=${{ message: 'This page could not be loaded. The broker may be restarting.' }} retry=${again} />`, place);
  }
}
export function go(path: string): void {
  const before = whereOf(location.pathname).name;
  history.pushState(null, '', base + path);
  void show().then(() => {
    // A new page is read from its beginning; within one the page itself says where to.
    if (whereOf(location.pathname).name === before) return;
    scrollTo(0, 0);
    place?.focus({ preventScroll: true });
  });
}

document.addEventListener('click', (event) => {
  const link = event.target instanceof Element ? event.target.closest('a') : null;
  if (!link || event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  const { origin, pathname, search, hash } = new URL(link.href);
  if (origin !== location.origin || !pathname.startsWith(root) || hash !== '' || link.hasAttribute('download') || link.target !== '')
    return;
  const { name } = whereOf(pathname);
  // Whether they may see it is said by the broker.
  if (!Object.hasOwn(pages, name) || !document.querySelector(`[data-page="${name}"]`)) return;
  event.preventDefault();
  go(pathname.slice(base.length) + search);
});
addEventListener('popstate', () => void show());

document.getElementById('theme')?.addEventListener('click', () => {
  const dark = matchMedia('(prefers-color-scheme: dark)').matches;
  const now = document.documentElement.dataset['theme'] ?? (dark ? 'dark' : 'light');
  const next = now === 'dark' ? 'light' : 'dark';
  document.documentElement.dataset['theme'] = next;
  localStorage.setItem('countersign-theme', next);
});
document.getElementById('keys')?.addEventListener('click', showKeys);
document.getElementById('logout')?.addEventListener('click', () => void logOut('this'));
document.addEventListener('logged-out', () => {
  if (!place || shown === OUT) return;
  clear();
  shown = OUT;
  const back = encodeURIComponent(location.pathname.slice(base.length) + location.search);
  render(
    html`<${Empty} title="You are not logged in any more.">
      <p>Your session has ended. What you typed here was not sent.</p>
      <p><a class="button primary" href=${`${base}/console/login?back=${back}`}>Log in</a></p>
    <//>`,
    place,
  );
});
listenToKeys(go, PAGES);
void show();
