/** What an issuer says of its own people halts them here, until a person undoes it. */
import { readSignal, type SignalSource } from './authenticate/signals.ts';
import { HALT_TERM, haltKey } from './decide/halts.ts';
import type { Result } from './errors.ts';
import type { Claim } from './model.ts';
import type { Recorder } from './record/record.ts';
import { no, ok } from './wire/result.ts';

export interface Signals {
  /** One pushed event. What was heard before is heard, and nothing follows: a halt that was undone stays undone. Errors: as `readSignal`. */
  receive(token: Result<string>, from?: () => string): Promise<Result<void>>;
}
export interface SignalRooms {
  readonly sources: readonly SignalSource[];
  readonly record: Recorder;
}

export function createSignals({ sources, record }: SignalRooms): Signals {
  const byIssuer = new Map(sources.map((source) => [source.issuer, source]));
  return {
    async receive(token, from) {
      const draft = record.open('signal', from);
      try {
        const read = token.ok ? await readSignal(token.value, byIssuer, draft) : token;
        if (!read.ok) return no(await record.refuse(draft, read.error));
        const { subject, event, from: issuer } = read.value;
        const by = `signal:${issuer}`;
        const value = { scope: 'subject', target: subject ?? '', by, at: draft.now, reason: event ?? '' };
        if (subject === undefined) {
          const marked = await record.mark(draft);
          return marked.ok || marked.error.reason === 'assertion_replayed' ? ok(undefined) : marked;
        }
        draft.note({ by, subject, detail: `signal ${event}`, context: { step: 'signal', scope: 'subject', target: subject } });
        const halt: Claim = { key: haltKey('subject', subject), version: 0, value, terms: [HALT_TERM], else: 'state_conflict' };
        const halted = await record.commit(draft, 'revoked', [halt]);
        // Halted already: what was said is told all the same.
        const done = !halted.ok && halted.error.reason === 'state_conflict' ? await record.commit(draft, 'revoked', []) : halted;
        return done.ok || done.error.reason === 'assertion_replayed' ? ok(undefined) : no(await record.refuse(draft, done.error));
      } catch (fault) {
        return no(await record.fault(draft, fault));
      }
    },
  };
}
