/** The console in Debian's Chromium: a broker in this process, somebody logged in with the roles a test names, and whatever a browser would complain of. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import type { Role } from '../../src/operate/operator.ts';
import { type Rig, type RigOptions, startRig } from '../support/rig.ts';
import { pathOf } from './provision.ts';

export interface LoggedIn {
  readonly roles?: readonly Exclude<Role, 'self'>[];
  /** At the issuer; in the ledger `people:<sub>`. */
  readonly sub?: string;
  readonly name?: string;
  readonly teams?: readonly string[];
}
export interface OpenedConsole extends AsyncDisposable {
  readonly rig: Rig;
  /** Where it listens. */
  readonly base: string;
  readonly browser: Browser;
  /** Of the first one. */
  readonly page: Page;
  /** What the browser complained of in any page: errors, requests to other hosts, what the policy forbade. */
  readonly problems: string[];
  /** One more person, in a browser of their own. */
  enter(who: LoggedIn): Promise<Page>;
}
export interface ConsoleOptions extends LoggedIn, Pick<RigOptions, 'bundle' | 'config' | 'console' | 'world'> {
  readonly width?: number;
  readonly dark?: boolean;
  /** A broker that is there already. */
  readonly rig?: Rig;
}
/** What a page may ask for and be refused, since that is what a test is about: told beside its other problems. */
const STATUS = /the server responded with a status of (4\d\d)/;

export async function openConsole(options: ConsoleOptions = {}): Promise<OpenedConsole> {
  const { width = 1280, dark = false, bundle, config, world } = options;
  const given = { ...(bundle && { bundle }), ...(world && { world }) };
  const rig = options.rig ?? (await startRig({ console: options.console ?? {}, ...given, ...(config && { config }) }));
  const browser = await chromium.launch({ executablePath: pathOf('chromium'), args: ['--no-sandbox', '--disable-dev-shm-usage'] });
  const problems: string[] = [];
  const contexts: BrowserContext[] = [];

  async function enter(who: LoggedIn): Promise<Page> {
    const context = await browser.newContext({
      viewport: { width, height: width < 600 ? 780 : 900 },
      colorScheme: dark ? 'dark' : 'light',
      reducedMotion: 'reduce',
      locale: 'en-GB',
    });
    contexts.push(context);
    const page = await context.newPage();
    watch(page, rig.issuer, problems);
    const { roles = ['viewer'], sub = 'u_alice', name = 'Alice Moreau', teams = [] } = who;
    rig.idp.person = { sub, name, groups: [...roles.map((role) => `console-${role}`), ...teams] };
    await page.goto(`${rig.issuer}/console/login`);
    await page.waitForURL(`${rig.issuer}/console/**`);
    return page;
  }
  const page = await enter(options);
  return {
    rig,
    base: rig.issuer,
    browser,
    page,
    problems,
    enter,
    async [Symbol.asyncDispose]() {
      for (const context of contexts) await context.close();
      await browser.close();
      if (!options.rig) await rig.stop();
    },
  };
}
function watch(page: Page, base: string, problems: string[]): void {
  page.on('console', (message) => {
    if (message.type() !== 'error' && message.type() !== 'warning') return;
    const status = STATUS.exec(message.text())?.[1];
    problems.push(status ? `${status} ${new URL(message.location().url).pathname}` : `${message.type()}: ${message.text()}`);
  });
  page.on('pageerror', (fault) => problems.push(`thrown: ${fault.message}`));
  page.on('request', (request) => {
    const url = request.url();
    // The way to the issuer and back is a navigation; nothing else leaves this broker.
    if (!url.startsWith(`${base}/`) && !request.isNavigationRequest()) problems.push(`elsewhere: ${url}`);
  });
}
/** As it is read: what is hidden is not in it. */
export async function textOf(page: Page, selector: string): Promise<string> {
  const [text = ''] = await page.locator(selector).first().allInnerTexts();
  return text;
}
const AXE = readFileSync(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8');
interface Violation {
  readonly id: string;
  readonly impact: string | null;
  readonly help: string;
  readonly nodes: readonly { readonly target: readonly unknown[]; readonly failureSummary?: string }[];
}
/** axe-core finds nothing serious, the page is no wider than its window, and the browser complains of nothing. */
export async function assertSound(page: Page, problems: readonly string[] = []): Promise<void> {
  // By the debugger, which the page's own policy does not bind; through the page it would be an inline script.
  await page.evaluate(AXE);
  const found = (await page.evaluate(
    'axe.run(document, { resultTypes: ["violations"] }).then((r) => r.violations)',
  )) as readonly Violation[];
  const serious = found
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(
      ({ id, help, nodes }) =>
        `${id}: ${help} (${nodes.map((node) => `${node.target.join(' ')}: ${node.failureSummary ?? ''}`).join('; ')})`,
    );
  assert.deepEqual(serious, []);
  const spare = (await page.evaluate('document.documentElement.scrollWidth - innerWidth')) as number;
  assert.ok(spare <= 0, `the page is ${spare} px wider than its window`);
  assert.deepEqual(problems, []);
}
