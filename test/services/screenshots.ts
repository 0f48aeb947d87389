/**
 * `npm run screenshots -- <folder>`: pictures of every page of the console, filled with the demo's busy few minutes, in both themes and two widths. They
 * are looked at before a page is called done; nothing is compared. Without a folder: those of the README, made anew.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { type ConsoleDay, openConsoleDay } from '../../scripts/demo/console-day.ts';
import { narrator } from '../../scripts/demo/narrator.ts';
import { operatorClient } from '../../scripts/operator-client.ts';
import { pathOf } from './provision.ts';

export interface Picture {
  readonly name: string;
  /** After `/console/`. */
  readonly path: string;
  /** What is done there before it is taken. */
  readonly act?: (page: Page) => Promise<void>;
  /** Who looks; absent: the operator, by a one-time link. */
  readonly as?: 'Alice Moreau' | 'Carol Okafor';
}
/** In the order of the menu. */
export async function picturesOf({ stage }: ConsoleDay): Promise<readonly Picture[]> {
  const operate = operatorClient({ socket: stage.config.operator.socket });
  const { approvals = [] } = (await operate('GET', '/operator/approvals?state=pending')).body as {
    readonly approvals?: readonly { readonly id: string; readonly arguments?: Readonly<Record<string, unknown>> }[];
  };
  const { entries = [] } = (await operate('GET', '/operator/entries?tool=create_refund&outcome=done')).body as {
    readonly entries?: readonly { readonly entry: { readonly txn?: string } }[];
  };
  const waits = approvals.find(({ arguments: args }) => args?.['invoice_id'] === 'inv_305');
  const txn = entries[0]?.entry.txn;
  return [
    { name: 'now', path: 'now', act: (page) => page.getByText('15 min', { exact: true }).click() },
    { name: 'approvals', path: 'approvals' },
    ...(waits ? [{ name: 'approval', path: `approvals/${waits.id}`, as: 'Alice Moreau' as const }] : []),
    { name: 'agents', path: 'agents' },
    { name: 'agent', path: 'agents/refund-bot' },
    { name: 'agent-halted', path: 'agents/fraud-watch' },
    { name: 'explorer', path: 'explorer' },
    ...(txn === undefined ? [] : [{ name: 'story', path: `explorer/${txn}` }]),
    { name: 'playground', path: 'playground?agent=refund-bot&server=shop&tool=create_refund', act: tooMuch },
    { name: 'keys', path: 'keys' },
    { name: 'health', path: 'health' },
    { name: 'me', path: 'me', as: 'Carol Okafor' },
  ];
}
async function tooMuch(page: Page): Promise<void> {
  await page.fill('#pg-arg-payment_id', 'pay_8Qx2');
  await page.fill('#pg-arg-amount_minor', '9000');
  await page.selectOption('#pg-arg-currency', { label: 'EUR' });
  await page.getByRole('button', { name: 'Decide' }).click();
  await page.locator('.pg-nearest').waitFor();
}

/** Logged in by a one-time link. `seen`: each page once it stands still, before it is left. */
export async function lookAround(
  day: ConsoleDay,
  browser: Browser,
  { width, dark, seen }: { readonly width: number; readonly dark: boolean; readonly seen: (picture: Picture, page: Page) => Promise<void> },
): Promise<readonly string[]> {
  const problems: string[] = [];
  const look = {
    viewport: { width, height: width < 600 ? 780 : 900 },
    colorScheme: dark ? 'dark' : 'light',
    reducedMotion: 'reduce',
    locale: 'en-GB',
  } as const;
  const context = await browser.newContext({ ...look });
  const contexts = [context];
  const watch = (page: Page): Page => {
    page.on('console', (message) => {
      const own = message.location().url.startsWith(`${day.stage.app.issuer}/`);
      if (own && message.type() === 'error') problems.push(message.text());
    });
    page.on('pageerror', (fault) => problems.push(fault.message));
    page.on('request', (request) => {
      const own = request.url().startsWith(`${day.stage.app.issuer}/`);
      if (!own && !request.isNavigationRequest()) problems.push(`elsewhere: ${request.url()}`);
    });
    return page;
  };
  const page = watch(await context.newPage());
  await page.goto((await day.link()).url);
  const pages = new Map<string, Page>();
  async function pageOf(name: NonNullable<Picture['as']>): Promise<Page> {
    const known = pages.get(name);
    if (known) return known;
    const theirs = await browser.newContext({ ...look });
    contexts.push(theirs);
    const made = watch(await theirs.newPage());
    pages.set(name, made);
    await made.goto(`${day.stage.app.issuer}/console/login`);
    await made.getByText(name).click();
    await made.waitForURL(`${day.stage.app.issuer}/console/**`);
    return made;
  }
  for (const picture of await picturesOf(day)) {
    const on = picture.as ? await pageOf(picture.as) : page;
    await on.goto(`${day.stage.app.issuer}/console/${picture.path}`);
    await on.locator('main h1').first().waitFor();
    await on.locator('main .loading').first().waitFor({ state: 'detached' });
    await picture.act?.(on);
    await seen(picture, on);
  }
  for (const one of contexts) await one.close();
  return problems;
}

/** What stands in the README. */
const BEST = ['approval', 'playground', 'now'];
const PICTURES = 'test/pictures';

async function takeAll(folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const day = await openConsoleDay(narrator({ json: false }));
  const browser = await chromium.launch({ executablePath: pathOf('chromium'), args: ['--no-sandbox', '--disable-dev-shm-usage'] });
  const save = (path: string, bytes: Buffer): void => {
    writeFileSync(path, bytes);
    console.log(path, `${Math.round(bytes.length / 1024)} KB`);
  };
  try {
    for (const [width, dark] of LOOKS) {
      const problems = await lookAround(day, browser, {
        width,
        dark,
        async seen({ name }, page) {
          // What is told live has come by then.
          await page.waitForTimeout(400);
          await page.evaluate('scrollTo(0, 0)');
          if (folder !== PICTURES) {
            save(join(folder, `${name}-${width}-${dark ? 'dark' : 'light'}.png`), await page.screenshot({ fullPage: true }));
          } else if (BEST.includes(name) && width > 600) {
            const shot = { format: 'webp', quality: 82 } as const;
            const { data } = await (await page.context().newCDPSession(page)).send('Page.captureScreenshot', shot);
            save(join(folder, `${name}-${dark ? 'dark' : 'light'}.webp`), Buffer.from(data, 'base64'));
          }
        },
      });
      for (const problem of problems) console.error(problem);
    }
  } finally {
    await browser.close();
    await day.close();
  }
}
const LOOKS = [
  [1280, false],
  [1280, true],
  [360, false],
  [360, true],
] as const;
if (import.meta.main) await takeAll(process.argv[2] ?? PICTURES);
