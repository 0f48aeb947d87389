/** What the bench can tell: figures, each measured by itself and against a target. Knows numbers; may not know what is measured. */

/** One line of the table. */
export interface Row {
  readonly what: string;
  readonly value: number;
  readonly unit: 'µs' | 'ms' | 's' | 'MB' | 'MB/min' | '/min' | 'KB' | '/s' | '×' | '%' | 'of it';
  /** Lowest and highest of the rounds whose median `value` is; of what is pooled, where most resamplings lie. */
  readonly spread?: readonly [number, number];
  /** Absent: told for its own sake. `excellent` is what the best teams reach. */
  readonly target?: Target;
}
export type Target = ({ readonly atMost: number } | { readonly atLeast: number }) & { readonly excellent?: number };
export interface Measured {
  readonly rows: readonly Row[];
  /** What a reader must know to read the rows rightly. */
  readonly notes: readonly string[];
}
export interface Figure {
  /** For `--only`. */
  readonly name: string;
  readonly about: string;
  measure(run: Run): Promise<Measured>;
}
export interface Run {
  /** Fewer rounds and smaller sizes: a look, not a figure. */
  readonly quick: boolean;
  /** The sizes and times of the targets: a million entries, ten minutes. */
  readonly long: boolean;
  /** Said on stderr while it goes on. */
  tell(text: string): void;
}

export function meets({ value, target }: Row): boolean | undefined {
  if (!target) return undefined;
  return 'atMost' in target ? value <= target.atMost : value >= target.atLeast;
}
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  if (sorted.length === 0) throw new Error('nothing was measured');
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] ?? Number.NaN;
}
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const high = sorted[middle];
  if (high === undefined) throw new Error('nothing was measured');
  return sorted.length % 2 === 1 ? high : ((sorted[middle - 1] ?? high) + high) / 2;
}
/** A row whose value is the median of rounds. */
export function rowOf(what: string, unit: Row['unit'], rounds: readonly number[], target?: Target): Row {
  const spread: readonly [number, number] = [Math.min(...rounds), Math.max(...rounds)];
  return { what, unit, value: median(rounds), ...(rounds.length > 1 && { spread }), ...(target && { target }) };
}
/** A value of many windows of each kind, and its range: 95 of a hundred resamplings of the windows lie within. */
export function resampled<T>(
  kinds: readonly (readonly T[])[],
  measure: (kinds: readonly (readonly T[])[]) => number,
  times = 400,
): Required<Pick<Row, 'value' | 'spread'>> {
  const drawn = (all: readonly T[]): T[] => all.map(() => all[Math.floor(Math.random() * all.length)] as T);
  const values = Array.from({ length: times }, () => measure(kinds.map(drawn)));
  return { value: measure(kinds), spread: [quantile(values, 0.025), quantile(values, 0.975)] };
}
/** Least squares: what `y` gains for one of `x`. */
export function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (at: 0 | 1): number => points.reduce((sum, point) => sum + point[at], 0) / points.length;
  const [x0, y0] = [mean(0), mean(1)];
  const [over, under] = points.reduce(([o, u], [x, y]) => [o + (x - x0) * (y - y0), u + (x - x0) ** 2] as const, [0, 0] as const);
  return over / under;
}
