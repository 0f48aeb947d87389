/** A broker on the wrong clock: one that jumps while it runs, and one that it begins on. By libfaketime, for that broker alone. */
import { globSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Fault, upTo } from './fault.ts';
import { eventually, look } from './harness.ts';
import type { Side } from './pair.ts';

const [LIBRARY = ''] = globSync('/usr/lib/*/faketime/libfaketimeMT.so.1');
/** The monotonic clock stays as it is, as on a machine whose time is set. */
const SHIFTED = { LD_PRELOAD: LIBRARY, DONT_FAKE_MONOTONIC: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1' };
const signed = (seconds: number): string => `${seconds < 0 ? '' : '+'}${seconds}`;
/** Seconds, minutes to hours ahead or behind. */
const wrong = (): number => Math.round((Math.random() < 0.5 ? -1 : 1) * (30 + upTo(7_200)));

/** What sets the clock of a broker: it runs under libfaketime from the first jump on. */
const hands = new WeakMap<Side, (seconds: number) => void>();
async function handsOf(side: Side, folder: string): Promise<(seconds: number) => void> {
  const known = hands.get(side);
  if (known) return known;
  const file = join(folder, `clock-${new URL(side.door).port}`);
  const set = (seconds: number): void => writeFileSync(file, signed(seconds));
  set(0);
  await side.broker?.stop();
  await side.start({ ...SHIFTED, FAKETIME_TIMESTAMP_FILE: file, FAKETIME_NO_CACHE: '1' });
  hands.set(side, set);
  return set;
}

export const JUMPS: Fault = {
  about: "a broker's clock jumps while it runs (libfaketime), minutes to hours ahead or behind, and is set right",
  away: 'one',
  async begin({ pair, side, note }) {
    const set = await handsOf(side, pair.house.folder);
    const seconds = wrong();
    note(`${signed(Math.round(seconds / 60))} min`);
    set(seconds);
  },
  end: async ({ side, pair }) => (await handsOf(side, pair.house.folder))(0),
};

export const BEGUN_WRONG: Fault = {
  about: 'a broker is started on a wrong clock (libfaketime), minutes to hours ahead or behind',
  away: 'some',
  async begin({ side, note }) {
    await side.broker?.stop();
    side.broker = undefined;
    const seconds = wrong();
    const child = side.spawn({ ...SHIFTED, FAKETIME: signed(seconds) });
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    const granted: string[] = [];
    await eventually(async () => child.exitCode !== null || (await look(`${side.door}/healthz`)).status === 200, 20_000);
    for (let i = 0; i < 10 && child.exitCode === null; i++) {
      const answer = await side.load.ask();
      granted.push(answer.is === 'answered' ? String(answer.answer.status) : answer.is);
    }
    note(child.exitCode === null ? `answers ${[...new Set(granted)].join(' ')}` : 'refuses to start');
    child.kill('SIGKILL');
    await ended;
    if (granted.includes('200')) throw new Error(`it granted with a clock that is ${seconds} s wrong`);
  },
  end: ({ side }) => side.start(),
};
