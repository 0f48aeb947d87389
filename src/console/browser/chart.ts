/** Bars over time, drawn here: one picture, and the same in words for whoever does not see it. */
import { clockOf, html, timeOf, type VNode } from './kit.ts';

export interface Series {
  readonly name: string;
  /** Names a colour of the style sheet. */
  readonly tone: 'good' | 'bad' | 'warn' | 'quiet';
}
export interface Bar {
  /** Epoch seconds. */
  readonly at: number;
  /** One for each series, in its order, from the ground up. */
  readonly values: readonly number[];
}
interface BarsProps {
  readonly title: string;
  readonly series: readonly Series[];
  readonly bars: readonly Bar[];
  readonly sliceSeconds: number;
}
const [WIDTH, HEIGHT] = [600, 120];

export function Bars({ title, series, bars, sliceSeconds }: BarsProps): VNode {
  const sums = bars.map(({ values }) => values.reduce((sum, value) => sum + value, 0));
  const most = niceAbove(Math.max(...sums, 1));
  const step = WIDTH / Math.max(1, bars.length);
  const marks = bars.filter((_, i) => i % Math.ceil(bars.length / 4) === 0);
  return html`<figure class="chart">
    <figcaption><h2>${title}</h2>
      <ul class="legend">${series.map(({ name, tone }) => html`<li><span class=${`swatch fill-${tone}`}></span>${name}</li>`)}</ul>
    </figcaption>
    <div class="plot">
      <span class="most" aria-hidden="true">${most.toLocaleString('en')}</span>
      <svg viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label=${said(series, bars, sums, sliceSeconds)}>
        <line class="grid" x1="0" x2=${WIDTH} y1="0.5" y2="0.5" />
        <line class="grid" x1="0" x2=${WIDTH} y1=${HEIGHT / 2} y2=${HEIGHT / 2} />
        ${bars.map((bar, i) => html`<g>${stack(bar, i * step, step, most, series)}</g>`)}
        <line class="ground" x1="0" x2=${WIDTH} y1=${HEIGHT - 0.5} y2=${HEIGHT - 0.5} />
      </svg>
    </div>
    <p class="times" aria-hidden="true">${marks.map(({ at }) => html`<span>${clockOf(at).slice(0, 5)}</span>`)}<span>now</span></p>
    <details><summary>As a table</summary>
      <div class="table-wrap"><table>
        <caption class="sr">${title}</caption>
        <thead><tr><th scope="col">From</th>${series.map(({ name }) => html`<th scope="col" class="number">${name}</th>`)}</tr></thead>
        <tbody>${bars
          .filter((_, i) => (sums[i] ?? 0) > 0)
          .toReversed()
          .map(
            ({ at, values }) =>
              html`<tr key=${at}><th scope="row">${timeOf(at)}</th>${values.map((value) => html`<td class="number">${value}</td>`)}</tr>`,
          )}</tbody>
      </table></div>
    </details>
  </figure>`;
}
function stack({ at, values }: Bar, x: number, step: number, most: number, series: readonly Series[]): VNode {
  let y = HEIGHT;
  const what = values.map((value, i) => `${value} ${series[i]?.name}`).join(', ');
  return html`<title>${`${timeOf(at)}: ${what}`}</title>
    <rect class="hover" x=${x} y="0" width=${step} height=${HEIGHT} />
    ${values.map((value, i) => {
      // What happened once is seen beside what happened a thousand times.
      const height = value === 0 ? 0 : Math.max(2, (value / most) * HEIGHT);
      y -= height;
      return html`<rect class=${`fill-${series[i]?.tone}`} x=${x + step * 0.1} y=${y} width=${step * 0.8} height=${height} />`;
    })}`;
}
function said(series: readonly Series[], bars: readonly Bar[], sums: readonly number[], sliceSeconds: number): string {
  const totals = series.map(({ name }, i) => `${bars.reduce((sum, { values }) => sum + (values[i] ?? 0), 0)} ${name}`);
  const peak = sums.indexOf(Math.max(...sums));
  const top = bars[peak];
  const span = sliceSeconds < 120 ? `${sliceSeconds} seconds` : `${Math.round(sliceSeconds / 60)} minutes`;
  return `${totals.join(', ')}, in slices of ${span}${top && (sums[peak] ?? 0) > 0 ? `; most from ${timeOf(top.at)} on: ${sums[peak]}` : ''}`;
}
/** A figure that is easily halved, and noughts. */
function niceAbove(value: number): number {
  const size = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 3, 4, 6, 8, 10].map((one) => one * size).find((one) => one >= value) ?? value;
}
