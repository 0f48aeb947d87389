/**
 * `npm run screenshots -- <folder>`: pictures of every page of the console, filled with the demo's busy few minutes, in both themes and two widths. They
 * are looked at before a page is called done; nothing is compared.
 */
import { mkdirSync, statSync } from 'node:fs';
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
}
/** In the order of the menu. */
export async function picturesOf({ stage }: ConsoleDay): Promise<readonly Picture[]> {
  const operate = operatorClient({ socket: stage.config.operator.socket });
  const { approvals = [] } = (await operate('GET', '/operator/approvals?state=pending')).body as {
    readonly approvals?: readonly { readonly id: string; readonly tool: string }[];
  };
  const { entries = [] } = (await operate('GET', '/operator/entries?tool=create_refund&outcome=done')).body as {
    readonly entries?: readonly { readonly entry: { readonly txn?: string } }[];
  };
  const waits = approvals.find(({ tool }) => tool === 'write_off') ?? approvals[0];
  const txn = entries[0]?.entry.txn;
  return [
    { name: 'now', path: 'now' },
    { name: 'approvals', path: 'approvals' },
    ...(waits ? [{ name: 'approval', path: `approvals/${waits.id}` }] : []),
    { name: 'agents', path: 'agents' },
    { name: 'agent', path: 'agents/refund-bot' },
    { name: 'agent-halted', path: 'agents/fraud-watch' },
    { name: 'explorer', path: 'explorer' },
    ...(txn === undefined ? [] : [{ name: 'story', path: `explorer/${txn}` }]),
    { name: 'playground', path: 'playground?agent=refund-bot&server=shop&tool=create_refund', act: tooMuch },
    { name: 'keys', path: 'keys' },
    { name: 'health', path: 'health' },
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
  const context = await browser.newContext({
    viewport: { width, height: width < 600 ? 780 : 900 },
    colorScheme: dark ? 'dark' : 'light',
    reducedMotion: 'reduce',
    locale: 'en-GB',
  });
  const page = await context.newPage();
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
  page.on('pageerror', (fault) => problems.push(fault.message));
  page.on('request', (request) => {
    if (!request.url().startsWith(`${day.stage.app.issuer}/`)) problems.push(`elsewhere: ${request.url()}`);
  });
  await page.goto((await day.link()).url);
  for (const picture of await picturesOf(day)) {
    await page.goto(`${day.stage.app.issuer}/console/${picture.path}`);
    await page.locator('main h1').first().waitFor();
    await page.locator('main .loading').first().waitFor({ state: 'detached' });
    await picture.act?.(page);
    await seen(picture, page);
  }
  await context.close();
  return problems;
}

if (import.meta.main) {
  const [folder = ''] = process.argv.slice(2);
  if (folder === '') {
    console.error('npm run screenshots -- <folder>');
    process.exit(3);
  }
  mkdirSync(folder, { recursive: true });
  const day = await openConsoleDay(narrator({ json: false }));
  const browser = await chromium.launch({ executablePath: pathOf('chromium'), args: ['--no-sandbox', '--disable-dev-shm-usage'] });
  try {
    for (const [width, dark] of [
      [1280, false],
      [1280, true],
      [360, false],
      [360, true],
    ] as const) {
      const problems = await lookAround(day, browser, {
        width,
        dark,
        seen: async ({ name }, page) => {
          const path = join(folder, `${name}-${width}-${dark ? 'dark' : 'light'}.png`);
          // What is told live has come by then.
          await page.waitForTimeout(400);
          await page.screenshot({ path, fullPage: true });
          console.log(path, `${Math.round(statSync(path).size / 1024)} KB`);
        },
      });
      for (const problem of problems) console.error(problem);
    }
  } finally {
    await browser.close();
    await day.close();
  }
}
