import type { Count, Field, ToolUse } from './search.ts';
import { fieldOf } from './search-sqlite-names.ts';
import type { Each, Segment } from './search-sqlite-segment.ts';

interface Sum {
  count: number;
  seq: number;
  at: number;
}
/** Takes what a visit meets: newest first, segment by segment. */
export interface Counter {
  /** Before the rows of a segment; what it answers is called with each row. */
  in(segment: Segment): Each;
  /** After them. */
  out(): void;
}
type Name = (number: number) => string;
const byCount = (a: Count, b: Count): number => b.count - a.count || b.seq - a.seq;

/** How often each name of these fields stands there; and the kinds over time, where slices are asked for. */
export function counter(fields: ReadonlySet<Field>, slices?: { readonly from: number; readonly to: number; readonly seconds: number }) {
  const sums = new Map<number, Sum>();
  const over = slices
    ? Array.from({ length: Math.floor((slices.to - slices.from) / slices.seconds) + 1 }, () => new Map<number, number>())
    : [];
  let total = 0;
  let here: { readonly segment: Segment; readonly counts: Uint32Array; readonly latest: Int32Array } | undefined;
  const taking: Counter = {
    in(segment) {
      const { names, lengths, times, dictionary } = segment;
      const counts = new Uint32Array(dictionary.length);
      const latest = new Int32Array(dictionary.length).fill(-1);
      const isKind = Uint8Array.from(dictionary, (number) => (fieldOf(number) === 'kind' ? 1 : 0));
      here = { segment, counts, latest };
      return (row, start) => {
        total++;
        const end = start + (lengths[row] ?? 0);
        for (let i = start; i < end; i++) {
          const local = names[i] ?? 0;
          counts[local] = (counts[local] ?? 0) + 1;
          if ((latest[local] ?? 0) < 0) latest[local] = row;
          if (!slices || !isKind[local]) continue;
          const slice = over[Math.floor(((times[row] ?? 0) - slices.from) / slices.seconds)];
          const kind = dictionary[local] ?? 0;
          slice?.set(kind, (slice.get(kind) ?? 0) + 1);
        }
        return undefined;
      };
    },
    out() {
      if (!here) return;
      const { segment, counts, latest } = here;
      for (let local = 0; local < counts.length; local++) {
        const count = counts[local] ?? 0;
        const number = segment.dictionary[local] ?? 0;
        if (count === 0 || !fields.has(fieldOf(number) ?? 'request')) continue;
        const row = latest[local] ?? 0;
        const sum = sums.get(number);
        if (sum) sum.count += count;
        else sums.set(number, { count, seq: segment.first + (segment.places[row] ?? 0), at: segment.times[row] ?? 0 });
      }
      here = undefined;
    },
  };
  return {
    ...taking,
    /** At most so many of each field. */
    told(name: Name, most: number) {
      const groups: Partial<Record<Field, readonly Count[]>> = {};
      for (const field of fields) {
        const found = [...sums].filter(([number]) => fieldOf(number) === field);
        const counts = found.map(([number, sum]): [number, Count] => [number, { value: '', ...sum }]).sort(([, a], [, b]) => byCount(a, b));
        groups[field] = counts.slice(0, most).map(([number, count]) => ({ ...count, value: name(number) }));
      }
      return { total, groups, slices: over.map((kinds) => Object.fromEntries([...kinds].map(([kind, count]) => [name(kind), count]))) };
    },
  };
}

/** Of one segment. */
interface Cell extends Sum {
  readonly places: readonly [resource: number, tool: number, kind: number];
}
/** What was done with which tool, of which server. */
export function uses() {
  const all = new Map<string, Sum & { readonly pair: readonly [number, number]; readonly kinds: Map<number, number> }>();
  let here: { readonly segment: Segment; readonly cells: Map<number, Cell> } | undefined;
  const taking: Counter = {
    in(segment) {
      const { names, lengths, dictionary, first, places, times } = segment;
      const fields = Array.from(dictionary, (number) => fieldOf(number));
      const cells = new Map<number, Cell>();
      here = { segment, cells };
      return (row, start) => {
        let [resource, tool, kind] = [-1, -1, -1];
        const end = start + (lengths[row] ?? 0);
        for (let i = start; i < end; i++) {
          const local = names[i] ?? 0;
          const field = fields[local];
          if (field === 'resource') resource = local;
          else if (field === 'tool') tool = local;
          else if (field === 'kind') kind = local;
        }
        if (tool < 0 || resource < 0) return undefined;
        const key = (resource * 65_536 + tool) * 65_536 + Math.max(0, kind);
        const cell = cells.get(key);
        if (cell) cell.count++;
        else cells.set(key, { places: [resource, tool, kind], count: 1, seq: first + (places[row] ?? 0), at: times[row] ?? 0 });
        return undefined;
      };
    },
    out() {
      if (!here) return;
      const { segment, cells } = here;
      for (const { places, count, seq, at } of cells.values()) {
        const [resource = 0, tool = 0, kind = 0] = places.map((place) => segment.dictionary[place] ?? 0);
        const use = all.get(`${resource} ${tool}`) ?? { pair: [resource, tool], kinds: new Map(), count: 0, seq: 0, at: 0 };
        use.count += count;
        use.kinds.set(kind, (use.kinds.get(kind) ?? 0) + count);
        if (seq > use.seq) Object.assign(use, { seq, at });
        all.set(`${resource} ${tool}`, use);
      }
      here = undefined;
    },
  };
  return {
    ...taking,
    told(name: Name): readonly ToolUse[] {
      const found = [...all.values()].sort((a, b) => b.seq - a.seq);
      return found.map(({ pair: [resource, tool], kinds, seq, at }) => ({
        resource: name(resource),
        tool: name(tool),
        kinds: Object.fromEntries([...kinds].map(([kind, count]) => [name(kind), count])),
        seq,
        at,
      }));
    },
  };
}
