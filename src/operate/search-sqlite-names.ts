import type { DatabaseSync } from 'node:sqlite';
import { FIELDS, type Field } from './search.ts';

/** A number says its field in its last bits, so that to count by field nothing needs to be looked up. */
const FIELD_BITS = 4;
export const fieldOf = (number: number): Field | undefined => FIELDS[number & ((1 << FIELD_BITS) - 1)];
/** The same few come again and again. */
const REMEMBERED = 20_000;

export interface Names {
  /** The number of a name, made where there is none. In a transaction. */
  take(field: Field, value: string): number;
  find(field: Field, value: string): number | undefined;
  /** Of those fields, whatever has this text within it. */
  search(text: string, fields: ReadonlySet<Field>): ReadonlySet<number>;
  valueOf(number: number): string;
}

export function createNames(db: DatabaseSync): Names {
  const find = db.prepare('SELECT number FROM name WHERE text = ?');
  const add = db.prepare('INSERT INTO name (number, text) VALUES (?, ?)');
  const read = db.prepare('SELECT text FROM name WHERE number = ?');
  const within = db.prepare('SELECT number FROM name WHERE instr(lower(substr(text, 2)), lower(?)) > 0');
  const known = new Map<string, number>();
  let next = Number(db.prepare('SELECT coalesce(max(number), 0) AS most FROM name').get()?.['most']) >>> FIELD_BITS;
  const textOf = (field: Field, value: string): string => letterOf(field) + value;
  const found = (text: string): number | undefined => {
    const number = known.get(text) ?? find.get(text)?.['number'];
    return number === undefined ? undefined : Number(number);
  };
  return {
    take(field, value) {
      const text = textOf(field, value);
      let number = found(text);
      if (number === undefined) {
        number = ++next * (1 << FIELD_BITS) + FIELDS.indexOf(field);
        add.run(number, text);
      }
      if (known.size >= REMEMBERED) known.clear();
      known.set(text, number);
      return number;
    },
    find: (field, value) => found(textOf(field, value)),
    search(text, fields) {
      const numbers = within.all(text).map((row) => Number(row['number']));
      return new Set(numbers.filter((number) => fields.has(fieldOf(number) ?? 'request')));
    },
    valueOf: (number) => String(read.get(number)?.['text'] ?? '').slice(1),
  };
}
const letterOf = (field: Field): string => String.fromCharCode('a'.charCodeAt(0) + FIELDS.indexOf(field));
