/** Figures as people read them. */
import { type Measured, meets, type Row } from './figure.ts';

export interface Outcome {
  readonly name: string;
  readonly about: string;
  readonly seconds: number;
  readonly measured?: Measured;
  /** Why there is no figure. */
  readonly fault?: string;
}

export function printTable(outcomes: readonly Outcome[]): string {
  const lines: string[] = [];
  for (const { name, about, seconds, measured, fault } of outcomes) {
    lines.push('', `${name}: ${about}  (${seconds.toFixed(0)} s)`);
    if (fault !== undefined) lines.push(`  COULD NOT BE MEASURED: ${fault}`);
    const cells = (measured?.rows ?? []).map(cellsOf);
    const widths = [0, 1, 2, 3].map((column) => Math.max(0, ...cells.map((row) => [...(row[column] ?? '')].length)));
    for (const row of cells) {
      const [what, value, spread, target, met] = row.map((text, column) => {
        const pad = ' '.repeat(Math.max(0, (widths[column] ?? 0) - [...text].length));
        return column === 1 ? pad + text : text + pad;
      });
      lines.push(`  ${what}  ${value}  ${spread}  ${target}  ${met}`.trimEnd());
    }
    for (const note of measured?.notes ?? []) lines.push(...wrap(note));
  }
  return `${lines.join('\n').trimStart()}\n`;
}

function cellsOf(row: Row): readonly string[] {
  const { what, unit, spread, target } = row;
  const met = meets(row);
  const bound = target && ('atMost' in target ? `≤ ${target.atMost}` : `≥ ${target.atLeast}`);
  const between = spread ? `[${number(spread[0])} – ${number(spread[1])}]` : '';
  const best = target?.excellent === undefined ? '' : ` (${target.excellent})`;
  return [what, `${number(row.value)} ${unit}`, between, bound ? bound + best : '', met === undefined ? '' : met ? 'met' : 'MISSED'];
}
function number(value: number): string {
  const size = Math.abs(value);
  if (size >= 10_000) return Math.round(value).toLocaleString('en');
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2);
}
function wrap(text: string): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line.length + word.length > 136) {
      lines.push(line);
      line = '';
    }
    line += line === '' ? word : ` ${word}`;
  }
  return [...lines, line].map((part, index) => `  ${index === 0 ? '·' : ' '} ${part}`);
}
