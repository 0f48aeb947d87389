import { createReadStream } from 'node:fs';

/** The lines of a text file, however long it is. Parted at LF, or CRLF, alone: `node:readline` also parts at U+2028, which JSON leaves as it is in a text. */
export async function* linesOf(path: string): AsyncGenerator<string, void> {
  let rest = '';
  for await (const part of createReadStream(path, 'utf8')) {
    const lines = `${rest}${part}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) yield line.endsWith('\r') ? line.slice(0, -1) : line;
  }
  if (rest !== '') yield rest;
}
