/** The nearest integer at which an outcome changes. Pure: it asks, and is told. */

/** A value whose outcome differs, or undefined where none was found within `from` and `to`. */
export interface NearestOptions {
  readonly value: number;
  readonly from: number;
  readonly to: number;
  /** Values at which something may change, such as those that rules compare with. */
  readonly marks: readonly number[];
  /** Does the outcome at this value differ from the one that is? `undefined`: no more may be asked. */
  readonly differs: (value: number) => Promise<boolean | undefined>;
}
const STRIDE = 8;

/**
 * Outwards on both sides, past every mark and ever further between; then by halves to the boundary. Where outcomes change at marks alone it
 * is exact: between two neighbouring marks there is one outcome. Where rules reckon with the value, it is the nearest that was met.
 */
export async function nearest(options: NearestOptions): Promise<number | undefined> {
  const { value } = options;
  const down = await outwards(options, -1, Number.POSITIVE_INFINITY);
  const up = await outwards(options, 1, down === undefined ? Number.POSITIVE_INFINITY : value - down);
  if (down === undefined || up === undefined) return down ?? up;
  return value - down <= up - value ? down : up;
}

async function outwards({ value, from, to, marks, differs }: NearestOptions, sign: 1 | -1, within: number): Promise<number | undefined> {
  const end = sign === 1 ? to : from;
  // Further than the end there is nothing; a value out of its range reaches the range first.
  const far = Math.min((end - value) * sign, within);
  if (far < 1) return undefined;
  const steps = new Set<number>([far]);
  for (const mark of [...marks, from, to]) for (const at of [mark - 1, mark, mark + 1]) steps.add((at - value) * sign);
  for (let step = 1; step < far; step *= STRIDE) steps.add(step);
  const inside = [...steps].filter((step) => step >= 1 && step <= far && Number.isSafeInteger(value + step * sign)).sort((a, b) => a - b);
  let same = 0;
  for (const step of inside) {
    const differ = await differs(value + step * sign);
    if (differ === undefined) return undefined;
    if (differ) return value + (await halved(same, step, async (at) => differs(value + at * sign))) * sign;
    same = step;
  }
  return undefined;
}
/** The least at which it differs, where it does not at `same` and does at `other`. */
async function halved(same: number, other: number, differs: (step: number) => Promise<boolean | undefined>): Promise<number> {
  let [low, high] = [same, other];
  while (high - low > 1) {
    const middle = low + Math.floor((high - low) / 2);
    const differ = await differs(middle);
    if (differ === undefined) return high;
    if (differ) high = middle;
    else low = middle;
  }
  return high;
}
