/** The whole story of one action in words, from a running broker or from its file. Exit codes: 0 told · 1 unknown · 2 nobody to ask. */
import { pathToFileURL } from 'node:url';
import { Command } from 'commander';
import { findStory, type Told, tell } from '../src/operate/story.ts';
import { openForReading } from '../src/store/store-sqlite-open.ts';
import { createScanner } from '../src/store/store-sqlite-reader.ts';
import { operatorClient, Unreachable } from './operator-client.ts';

export interface Story {
  readonly story: readonly Told[];
  readonly words: readonly string[];
}

/** From the file alone, beside a running broker or without one. Throws what SQLite throws when it is no ledger. */
export async function explainOffline(path: string, id: string): Promise<Story> {
  const db = openForReading(path);
  try {
    const reader = createScanner(db);
    const story = await findStory({ scan: async (page) => reader.scan(page, reader.clock()) }, id);
    return { story, words: tell(story) };
  } finally {
    db.close();
  }
}
async function explainOnline(socket: string, id: string): Promise<Story> {
  const { status, body } = await operatorClient({ socket })('GET', `/operator/explain/${encodeURIComponent(id)}`);
  return status === 200 ? (body as Story) : { story: [], words: [] };
}

async function main(): Promise<number> {
  const command = new Command('explain')
    .description('Tells the whole story of one action: who asked, on whose behalf, what was decided by which rule, and what came of it.')
    .argument('<id>', 'a decision (exc_…), an action (txn_…) or a token (tok_…)')
    .option('--socket <path>', "the broker's operator socket", './data/operator.sock')
    .option('--data <file>', 'read this ledger file instead of asking a broker')
    .option('--json', 'the entries as JSON')
    .parse();
  const options = command.opts<{ socket: string; data?: string; json?: true }>();
  const [id = ''] = command.args;
  try {
    const { story, words } = options.data === undefined ? await explainOnline(options.socket, id) : await explainOffline(options.data, id);
    if (options.json) console.log(JSON.stringify({ story, words }, null, 2));
    else if (story.length > 0) console.log(words.join('\n'));
    if (story.length > 0) return 0;
    console.error('There is nothing under this name. Give the decision_id of an answer, or the txn or jti of a token.');
    return 1;
  } catch (fault) {
    if (fault instanceof Unreachable) console.error(`${fault.message}\nOr read the file: --data ./data/countersign.db`);
    else console.error('This ledger cannot be read. Name the file with --data, for example ./data/countersign.db.');
    return 2;
  }
}
if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) process.exitCode = await main();
