/** Tells the demo: words for people, or the same as NDJSON. Knows how things look; may not know what they mean. */
import { styleText } from 'node:util';

export interface Narrator {
  step(title: string): void;
  say(text: string): void;
  /** Somebody else's lines, as they are. */
  quote(lines: readonly string[]): void;
  /** One HTTP exchange, folded to what matters. */
  exchange(folded: Folded): void;
  /** Aligned `name  value  gloss` lines. */
  facts(title: string, rows: readonly (readonly [string, string, string?])[]): void;
  /** One thing that must be so; a no makes the demo fail. */
  check(text: string, holds: boolean): void;
  /** What did not hold, so far. */
  readonly failures: readonly string[];
  end(seconds: number): void;
}
export interface Folded {
  readonly request: string;
  readonly sent?: readonly string[];
  readonly status: number;
  readonly answer: string;
}

export function narrator(options: { readonly json: boolean; readonly write?: (line: string) => void }): Narrator {
  const write = options.write ?? ((line: string) => void process.stdout.write(`${line}\n`));
  const failures: string[] = [];
  let step = 0;
  const line = (value: object): void => write(JSON.stringify({ step, ...value }));
  if (options.json) {
    return {
      failures,
      step: (title) => {
        step++;
        line({ type: 'step', title });
      },
      say: (text) => line({ type: 'say', text }),
      quote: (lines) => line({ type: 'quote', lines }),
      exchange: (folded) => line({ type: 'exchange', ...folded }),
      facts: (title, rows) => line({ type: 'facts', title, facts: Object.fromEntries(rows.map(([name, value]) => [name, value])) }),
      check: (text, holds) => {
        if (!holds) failures.push(text);
        line({ type: 'check', text, ok: holds });
      },
      end: (seconds) => line({ type: 'end', ok: failures.length === 0, failures, seconds }),
    };
  }
  const bold = (text: string): string => styleText('bold', text);
  const dim = (text: string): string => styleText('dim', text);
  return {
    failures,
    step: (title) => write(`\n${bold(`${++step}  ${title}`)}\n`),
    say: (text) => write(wrap(text, 3)),
    quote: (lines) => {
      for (const text of lines) write(`     ${dim(text)}`);
    },
    exchange: ({ request, sent = [], status, answer }) => {
      write(`   ${styleText('cyan', '→')} ${request}`);
      for (const text of sent) write(`     ${dim(text)}`);
      write(`   ${styleText(status < 400 ? 'green' : 'yellow', `← ${status}`)} ${answer}`);
    },
    facts: (title, rows) => {
      write(`     ${dim(title)}`);
      const [names, values] = [0, 1].map((i) => Math.max(...rows.map((row) => (row[i] ?? '').length)));
      for (const [name, value, gloss] of rows)
        write(
          `     ${name.padEnd(names ?? 0)}  ${gloss ? value.padEnd(Math.min(values ?? 0, 46)) : value}${gloss ? `  ${dim(gloss)}` : ''}`,
        );
      write('');
    },
    check: (text, holds) => {
      if (!holds) failures.push(text);
      write(holds ? `   ${styleText('green', '✔')} ${text}` : `   ${styleText('red', '✘')} ${bold(text)}`);
    },
    end: (seconds) => {
      const verdict =
        failures.length === 0
          ? styleText('green', 'Every step did what it says.')
          : styleText('red', `${failures.length} of the steps did not hold.`);
      write(`\n${verdict} ${dim(`${seconds.toFixed(1)} s`)}\n`);
    },
  };
}

function wrap(text: string, indent: number, width = 96): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line.length + word.length + 1 > width - indent && line !== '') {
      lines.push(line);
      line = '';
    }
    line += line === '' ? word : ` ${word}`;
  }
  lines.push(line);
  return lines.map((l) => ' '.repeat(indent) + l).join('\n');
}
