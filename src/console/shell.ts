/** What stands around every page, and the pages for whoever has not logged in: rendered here, escaped by the renderer, without an inline script. */
import { html } from 'htm/preact';
import type { ComponentChildren } from 'preact';
import { renderToString } from 'preact-render-to-string';
import type { Assets } from './assets.ts';
import { maySee, PAGES } from './browser/list.ts';
import type { Session } from './session.ts';

export interface ShellParts {
  readonly assets: Pick<Assets, 'sheets' | 'module'>;
  /** The path that our issuer's address ends in: '' most of the time. */
  readonly base: string;
  /** Shown, so that nobody decides at the wrong broker. */
  readonly host: string;
}
export interface Shell {
  /** The page of this name for who has logged in. `pledge`: what it sends back with every unsafe request. */
  page(name: string, session: Session, pledge: string): string;
  /** A plain page: a heading, a word, one thing to do. */
  plain(notice: Notice): string;
}
export interface Notice {
  readonly title: string;
  readonly text: string;
  readonly more?: string;
  readonly action?: { readonly label: string; readonly href: string };
}

export function createShell({ assets, base, host }: ShellParts): Shell {
  const at = (path: string): string => `${base}/console/assets/${path}`;
  const whole = (title: string, body: ComponentChildren, attributes: Readonly<Record<string, string>>): string =>
    `<!doctype html>\n${renderToString(html`<html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title} · Countersign</title>
        <link rel="icon" type="image/svg+xml" href=${at('mark.svg')} />
        ${assets.sheets.map((sheet) => html`<link rel="stylesheet" href=${at(sheet)} />`)}
        <script src=${at(assets.module('theme'))}></script>
      </head>
      <body ...${attributes}>${body}</body>
    </html>`)}`;
  const brand = html`<a class="brand" href=${`${base}/console`}>
    <img src=${at('mark.svg')} alt="" width="24" height="24" />
    <span>Countersign</span>
  </a>`;

  return {
    page(name, session, pledge) {
      const page = PAGES.find((one) => one.name === name);
      const title = page?.title ?? 'Nothing here';
      const { display, roles, teams } = session;
      const me = { name: session.name, display, roles: roles.filter((role) => role !== 'self'), teams };
      const links = PAGES.filter((one) => one.name !== 'me' && maySee(one, roles)).map(
        (one) =>
          html`<a href=${`${base}/console/${one.name}`} data-page=${one.name} aria-current=${one.name === name ? 'page' : undefined}>
            ${one.title}
          </a>`,
      );
      return whole(
        title,
        html`<a class="skip" href="#page">Skip to the page</a>
          <header class="bar">
            ${brand}
            <nav aria-label="Pages">${links}</nav>
            <div class="who">
              <span class="host" title="This broker">${host}</span>
              <button type="button" id="theme" class="plain icon" aria-label="Light or dark" title="Light or dark">◐</button>
              <button type="button" id="keys" class="plain icon" aria-label="Keyboard" title="Keyboard (?)">?</button>
              <a class="me" href=${`${base}/console/me`} data-page="me" title=${session.name}><bdi>${display}</bdi></a>
              <button type="button" id="logout" class="plain">Log out</button>
            </div>
          </header>
          <main id="page" tabindex="-1">
            ${page ? html`<p class="loading" role="status">Loading …</p>` : html`<h1>Nothing here</h1><p>There is no page of this name.</p>`}
            <noscript><p class="notice">This console needs JavaScript. The same can be done with the scripts of this broker.</p></noscript>
          </main>
          <div id="toasts" role="status" aria-live="polite"></div>
          <script type="module" src=${at(assets.module('main'))}></script>`,
        {
          'data-base': base,
          'data-pledge': pledge,
          'data-me': JSON.stringify(me),
          'data-ends': String(session.ends),
          ...(page && { 'data-page': name }),
        },
      );
    },
    plain: ({ title, text, more, action }) =>
      whole(
        title,
        html`<header class="bar">
            ${brand}
            <div class="who"><span class="host">${host}</span></div>
          </header>
          <main id="page" class="plain-page" tabindex="-1">
            <h1>${title}</h1>
            <p>${text}</p>
            ${more !== undefined && html`<p class="quiet">${more}</p>`}
            ${action && html`<p><a class="button primary" href=${action.href}>${action.label}</a></p>`}
          </main>`,
        { class: 'plain-body' },
      ),
  };
}
