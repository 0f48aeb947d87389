/** `npm run demo -- --console`: a busy few minutes, a link that logs in once, and every page of it sound in both themes and on a telephone. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { describe, it } from 'node:test';
import { chromium } from 'playwright-core';
import { openConsoleDay } from '../../scripts/demo/console-day.ts';
import { narrator } from '../../scripts/demo/narrator.ts';
import { verifyLedger } from '../../scripts/verify-ledger.ts';
import { assertSound } from './console.ts';
import { pathOf } from './provision.ts';
import { lookAround } from './screenshots.ts';

const launch = () => chromium.launch({ executablePath: pathOf('chromium'), args: ['--no-sandbox', '--disable-dev-shm-usage'] });

describe('the demo’s console', () => {
  it('shows a company at work, and every page of it stands', async () => {
    const said: string[] = [];
    const day = await openConsoleDay(narrator({ json: true, write: (line) => said.push(line) }));
    const browser = await launch();
    try {
      assert.ok(said.some((line) => line.includes('"type":"check"') && line.includes('"ok":true')));
      const titles = new Map<string, string>();
      for (const [width, dark] of [
        [1280, false],
        [360, true],
      ] as const) {
        const problems = await lookAround(day, browser, {
          width,
          dark,
          async seen({ name }, page) {
            await assertSound(page);
            titles.set(name, (await page.locator('main').textContent()) ?? '');
          },
        });
        assert.deepEqual(problems, []);
      }
      assert.deepEqual(
        [...titles.keys()],
        ['now', 'approvals', 'approval', 'agents', 'agent', 'agent-halted', 'explorer', 'story', 'playground', 'keys', 'health', 'me'],
      );
      assert.match(titles.get('agents') ?? '', /12.*agents.*2.*stopped.*2.*reviews overdue/s);
      assert.match(titles.get('approvals') ?? '', /A plan of 2 steps.*export_customer.*scrap_stock/s);
      assert.match(titles.get('agent-halted') ?? '', /being looked into/);
      assert.match(titles.get('me') ?? '', /privacy-clerk.*wants to run.*export_customer.*for you/s);
      const verified = await verifyLedger(day.stage.ledger);
      assert.deepEqual([verified.ok, verified.count > 150], [true, true], 'what the pages tell stands in a ledger that holds together');
    } finally {
      await browser.close();
      await day.close();
    }
  });

  it('prints a link that is good once, and stops when it is told to', async () => {
    const demo = spawn(process.execPath, ['scripts/demo.ts', '--console', '--json'], { stdio: ['ignore', 'pipe', 'inherit'] });
    const browser = await launch();
    try {
      let open = '';
      for await (const line of createInterface({ input: demo.stdout })) {
        const said = JSON.parse(line) as { readonly type: string; readonly title?: string; readonly facts?: { readonly open?: string } };
        open = said.facts?.open ?? '';
        if (said.title === 'console') break;
      }
      const page = await browser.newPage();
      await page.goto(open);
      await page.getByRole('heading', { name: 'Now' }).waitFor();
      const again = await (await browser.newContext()).newPage();
      await again.goto(open);
      assert.equal(await again.getByRole('heading', { name: 'Now' }).count(), 0);
    } finally {
      await browser.close();
      demo.kill('SIGINT');
    }
    const [code] = (await once(demo, 'exit')) as readonly unknown[];
    assert.equal(code, 0);
  });
});
