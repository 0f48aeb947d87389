/** Decisions as they are committed. */
import { KindBadge, type Line, storyOf, What, Who, Why } from './entry-words.ts';
import { Badge, base, clockOf, Empty, html, useEffect, useRef, useState, type VNode } from './kit.ts';

type LiveLine = Line & { readonly seq: number };
const KEPT = 60;
const AGAIN_MS = 4_000;
const STATES = {
  opening: ['connecting', 'quiet'],
  open: ['live', 'good'],
  lost: ['connection lost, trying again', 'warn'],
  paused: ['paused', 'quiet'],
} as const;

/** `opens`: may this person look at whole stories? */
export function LiveList({ opens }: { readonly opens: boolean }): VNode {
  const [lines, setLines] = useState<readonly LiveLine[]>([]);
  const [state, setState] = useState<keyof typeof STATES>('opening');
  const [paused, setPaused] = useState(false);
  const skipped = useRef(0);
  const last = useRef<number>();
  useEffect(() => {
    if (paused) {
      setState('paused');
      return undefined;
    }
    // Many at once are drawn once.
    let arrived: LiveLine[] = [];
    let drawing: ReturnType<typeof setTimeout> | undefined;
    const draw = (): void => {
      drawing = undefined;
      const fresh = arrived;
      arrived = [];
      setLines((was) => {
        const known = new Set(was.map(({ seq }) => seq));
        return [...fresh.filter(({ seq }) => !known.has(seq)).reverse(), ...was].slice(0, KEPT);
      });
    };
    let source: EventSource | undefined;
    let again: ReturnType<typeof setTimeout> | undefined;
    const close = (): void => {
      clearTimeout(again);
      source?.close();
      source = undefined;
    };
    const open = (): void => {
      close();
      source = new EventSource(`${base}/operator/live${last.current === undefined ? '' : `?after=${last.current}`}`);
      source.addEventListener('open', () => setState('open'));
      source.addEventListener('error', () => {
        setState('lost');
        // After an answer that is no stream a browser does not try again.
        if (source?.readyState === EventSource.CLOSED) again = setTimeout(open, AGAIN_MS);
      });
      source.addEventListener('entry', (event: MessageEvent<string>) => {
        const line = JSON.parse(event.data) as LiveLine;
        last.current = line.seq;
        arrived.push(line);
        drawing ??= setTimeout(draw, 150);
      });
      source.addEventListener('skipped', (event: MessageEvent<string>) => {
        skipped.current += (JSON.parse(event.data) as { readonly skipped: number }).skipped;
      });
    };
    // A browser has few connections to one host: a page that nobody looks at keeps none.
    const look = (): void => {
      if (document.visibilityState !== 'visible') close();
      else if (!source) open();
    };
    look();
    document.addEventListener('visibilitychange', look);
    return () => {
      document.removeEventListener('visibilitychange', look);
      clearTimeout(drawing);
      close();
    };
  }, [paused]);
  const [word, tone] = STATES[state];
  return html`<section class="card live" aria-labelledby="live-title">
    <div class="card-head"><h2 id="live-title">Decisions</h2><${Badge} tone=${tone}>${word}<//>
      <button type="button" class="plain" onClick=${() => setPaused(!paused)}>${paused ? 'Go on' : 'Pause'}</button></div>
    ${
      lines.length === 0
        ? html`<${Empty} title="Nothing was decided yet."><p>Let an agent ask: <code>npm run ask -- create_refund payment_id=pay_8Qx2 amount_minor=4250 currency=EUR</code></p><//>`
        : html`<ol class="lines">${lines.map((line) => html`<${Row} key=${line.seq} line=${line} opens=${opens} />`)}</ol>`
    }
    ${skipped.current > 0 && html`<p class="quiet">${skipped.current.toLocaleString('en')} came too fast to be shown. They are in the ledger.</p>`}
  </section>`;
}
function Row({ line, opens }: { readonly line: LiveLine; readonly opens: boolean }): VNode {
  const time = clockOf(line.at);
  return html`<li>
    ${opens ? html`<a class="row time" href=${`${base}/console/explorer/${storyOf(line)}`} aria-label=${`${time}, the whole story`}>${time}</a>` : html`<span class="time">${time}</span>`}
    <span><${KindBadge} line=${line} /></span>
    <span class="what"><${What} line=${line} /> <${Why} line=${line} /></span>
    <span class="by"><${Who} line=${line} /></span>
  </li>`;
}
