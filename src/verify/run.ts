/** The action in whose name code runs: set by a guard, found by the tool, however deep. */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Action } from './action.ts';
import type { Outcome } from './receipts.ts';

/** One verified call on its way to its tool. */
export interface Run {
  readonly action: Action;
  /** A server whose tools are guarded is in this run's way, so a tool that did not start certainly did not run. */
  watched: boolean;
  started: boolean;
}
const runs = new AsyncLocalStorage<Run>();

/** The verified action this code runs for, or undefined outside of one. */
export const currentAction = (): Action | undefined => runs.getStore()?.action;
export const currentRun = (): Run | undefined => runs.getStore();
export const openRun = (action: Action): Run => ({ action, watched: false, started: false });
export const inRun = <T>(run: Run, work: () => T): T => runs.run(run, work);

export function tell(run: Run, outcome: Outcome): void {
  // The queue counts what it loses; a tool's answer never waits for it.
  run.action.receipt(outcome).catch(() => {});
}
/** The exchange is over. Of a tool that nobody watched nothing is known, and nothing is said. */
export function endRun(run: Run): void {
  if (!run.watched || run.started) return;
  // Closed for good: a tool that gets there later (its caller hung up) must not make this untrue.
  run.started = true;
  tell(run, 'not_run');
}
