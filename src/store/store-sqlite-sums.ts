import type { DatabaseSync } from 'node:sqlite';
import type { PackedSum } from './store-sqlite-pack.ts';
import { lastSecond, stepOf } from './window.ts';

interface Member {
  readonly amount: number;
  readonly at: number;
  readonly until: number | undefined;
}
interface Staged {
  readonly sum: string;
  readonly id: string;
  readonly before: Member | undefined;
  readonly after: Member | undefined;
}
/** Windows known for so many sums are remembered. */
const MOST_SPANS = 10_000;
/** `lastSecond` in SQL. Parameters: step, step, step + span − 2. */
const ENDS = 'min(at - at % ? + ?, coalesce(until, 9007199254740991))';

/**
 * The writer's sums. A sum is kept by window as *parts*: all amounts that leave in the same second are one row, and amounts leave by the
 * step (window.ts), so a window has about sixty parts and one for each second in which reservations end, whatever its population.
 * A window that a sum has not been claimed by is made once, from the members that have not ended in every window it knows; so one that
 * grows by a change of policy starts with what the shorter one still held. Whole amounts add up exactly; fractions as doubles do.
 */
export class Sums {
  readonly #staged = new Map<string, Staged>();
  readonly #spans = new Map<string, readonly number[]>();
  readonly #sql;

  constructor(db: DatabaseSync) {
    this.#sql = {
      total: db.prepare(TOTAL),
      spans: db.prepare('SELECT span FROM span WHERE sum = ?'),
      addSpan: db.prepare('INSERT INTO span VALUES (?, ?)'),
      build: db.prepare(
        `INSERT INTO part SELECT sum, ?, ${ENDS}, total(amount), count(*) FROM member WHERE sum = ? AND ends >= ? GROUP BY 3`,
      ),
      extend: db.prepare(`UPDATE member SET ends = max(ends, ${ENDS}) WHERE sum = ? AND ends >= ?`),
      member: db.prepare('SELECT amount, at, until, ends FROM member WHERE sum = ? AND id = ?'),
      writeMember: db.prepare('INSERT OR REPLACE INTO member VALUES (?, ?, ?, ?, ?, ?)'),
      removeMember: db.prepare('DELETE FROM member WHERE sum = ? AND id = ?'),
      add: db.prepare(
        'INSERT INTO part VALUES (?, ?, ?, ?, 1) ON CONFLICT DO UPDATE SET amount = amount + excluded.amount, members = members + 1',
      ),
      take: db.prepare('UPDATE part SET amount = amount - ?, members = members - 1 WHERE sum = ? AND span = ? AND ends = ?'),
      removeEmpty: db.prepare('DELETE FROM part WHERE sum = ? AND span = ? AND ends = ? AND members < 1'),
      endedMembers: db.prepare('SELECT sum, id FROM member WHERE ends < ? ORDER BY ends LIMIT ?'),
      endedParts: db.prepare('SELECT sum, span, ends FROM part WHERE ends < ? ORDER BY ends LIMIT ?'),
      removePart: db.prepare('DELETE FROM part WHERE sum = ? AND span = ? AND ends = ?'),
      anyPart: db.prepare('SELECT 1 FROM part WHERE sum = ? LIMIT 1'),
      removeSpans: db.prepare('DELETE FROM span WHERE sum = ?'),
    };
  }

  beginExchange(): void {
    this.#staged.clear();
  }
  /** The transaction is not in the file, so what was learnt from it is forgotten. */
  abandon(): void {
    this.#spans.clear();
  }

  /** Does the claim hold, after the exchange's earlier ones? What does not raise the sum always holds: a release cannot be refused. */
  holds(claim: PackedSum, at: number): boolean {
    const { sum, id, amount, limit, span, until } = claim;
    this.#ensure(sum, span, at);
    const name = JSON.stringify([sum, id]);
    const staged = this.#staged.get(name);
    const own = staged ? staged.after : this.#member(sum, id, at);
    const counted = (m: Member | undefined): number => (m && lastSecond(m.at, m.until, span) >= at ? m.amount : 0);
    let total = Number(this.#sql.total.get(sum, span, at)?.['total']);
    for (const other of this.#staged.values()) if (other.sum === sum) total += counted(other.after) - counted(other.before);
    const after = amount === 0 ? undefined : { amount, at: own?.at ?? at, until };
    const before = staged ? staged.before : own;
    // Against the amount before the exchange: two windows of one sum are two claims on one id, and the second is judged too.
    const raises = counted(after) > counted(before);
    if (raises && !(Number.isFinite(amount) && total - counted(own) + amount <= limit)) return false;
    this.#staged.set(name, { sum, id, before, after });
    return true;
  }

  /** Writes what the exchange has claimed. */
  write(): void {
    for (const { sum, id, before, after } of this.#staged.values()) {
      if (!before && !after) continue;
      const spans = this.#known(sum);
      for (const span of spans) {
        const left = before && lastSecond(before.at, before.until, span);
        if (after) this.#sql.add.run(sum, span, lastSecond(after.at, after.until, span), after.amount);
        if (before && left !== undefined) {
          this.#sql.take.run(before.amount, sum, span, left);
          this.#sql.removeEmpty.run(sum, span, left);
        }
      }
      if (!after) this.#sql.removeMember.run(sum, id);
      else this.#sql.writeMember.run(sum, id, after.amount, after.at, after.until ?? null, endsOf(after, spans));
    }
  }

  /** Deletes at most so many of each that ended before a second. */
  prune(before: number, most: number): void {
    for (const row of this.#sql.endedMembers.all(before, most)) this.#sql.removeMember.run(String(row['sum']), String(row['id']));
    for (const row of this.#sql.endedParts.all(before, most)) {
      const [sum, span] = [String(row['sum']), Number(row['span'])];
      this.#sql.removePart.run(sum, span, Number(row['ends']));
      if (this.#sql.anyPart.get(sum)) continue;
      this.#sql.removeSpans.run(sum);
      this.#spans.delete(sum);
    }
  }

  #member(sum: string, id: string, at: number): Member | undefined {
    const row = this.#sql.member.get(sum, id);
    if (!row) return undefined;
    // Ended in every window, so a claim under its id is a new amount; what the old one left in the parts counts for nothing and is pruned.
    if (Number(row['ends']) < at) return undefined;
    return { amount: Number(row['amount']), at: Number(row['at']), until: row['until'] === null ? undefined : Number(row['until']) };
  }
  #ensure(sum: string, span: number, at: number): void {
    const known = this.#known(sum);
    if (known.includes(span)) return;
    const [step, shift] = endsParameters(span);
    this.#sql.build.run(span, step, shift, sum, at);
    this.#sql.extend.run(step, shift, sum, at);
    this.#sql.addSpan.run(sum, span);
    this.#spans.set(sum, [...known, span]);
  }
  #known(sum: string): readonly number[] {
    const known = this.#spans.get(sum);
    if (known) return known;
    if (this.#spans.size >= MOST_SPANS) this.#spans.clear();
    const spans = this.#sql.spans.all(sum).map((row) => Number(row['span']));
    this.#spans.set(sum, spans);
    return spans;
  }
}

const endsOf = (member: Member, spans: readonly number[]): number =>
  Math.max(...spans.map((span) => lastSecond(member.at, member.until, span)));
const endsParameters = (span: number): readonly [number, number] => [stepOf(span), stepOf(span) + span - 2];

/** Parameters: sum, span, at. */
export const TOTAL = 'SELECT total(amount) AS total FROM part WHERE sum = ? AND span = ? AND ends >= ?';
export const HAS_SPAN = 'SELECT 1 FROM span WHERE sum = ? AND span = ?';
/** The same for a window that has no parts yet. Parameters: sum, then `endsParameters`, then at twice. */
export const TOTAL_OF_MEMBERS = `SELECT total(amount) AS total FROM member WHERE sum = ? AND ${ENDS} >= ? AND ends >= ?`;
export { endsParameters };
