/** Samples this process's main thread: begun and ended by its parent. */
import type { Profiler } from 'node:inspector';
import { Session } from 'node:inspector/promises';

export type Profile = Profiler.Profile;
const SAMPLE_MICROSECONDS = 200;
let talk: Session | undefined;

/** `true`: begins. `false`: ends, and answers what was seen. */
export async function work(on: boolean): Promise<Profile | undefined> {
  if (on) {
    talk = new Session();
    talk.connect();
    await talk.post('Profiler.enable');
    await talk.post('Profiler.setSamplingInterval', { interval: SAMPLE_MICROSECONDS });
    await talk.post('Profiler.start');
    return undefined;
  }
  const answer = await talk?.post('Profiler.stop');
  talk?.disconnect();
  talk = undefined;
  return answer?.profile;
}
