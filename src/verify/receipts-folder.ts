/** A queue of receipts in a folder: one file each, so that a crash loses none and repeats at most one, which the broker knows by its `jti`. */
import { mkdirSync } from 'node:fs';
import { open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isObject, parseJson } from '../wire/json.ts';
import type { QueuedReceipt, ReceiptQueue } from './receipts.ts';

const NAME = /^[0-9a-f-]{36}\.json$/;

/** What the broker refused for good is kept in `dead/`, for a person to look at. Throws at once where the folder cannot be made. */
export function folderQueue(path: string): ReceiptQueue {
  const dead = join(path, 'dead');
  mkdirSync(dead, { recursive: true, mode: 0o700 });
  const file = (id: string): string => join(path, `${id}.json`);
  return {
    async put(receipt) {
      const part = join(path, `${receipt.id}.part`);
      const handle = await open(part, 'wx', 0o600);
      try {
        await handle.writeFile(JSON.stringify(receipt));
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(part, file(receipt.id));
      await syncFolder(path);
    },
    async load() {
      const left: QueuedReceipt[] = [];
      for (const name of (await readdir(path)).sort()) {
        // A half-written file is one whose `put` never resolved.
        if (name.endsWith('.part')) await rm(join(path, name), { force: true });
        if (!NAME.test(name)) continue;
        const receipt = read(await readFile(join(path, name), 'utf8'));
        if (receipt && `${receipt.id}.json` === name) left.push(receipt);
        else await rename(join(path, name), join(dead, name));
      }
      return left;
    },
    async settle(id, fate) {
      if (fate === 'sent') await rm(file(id), { force: true });
      else await rename(file(id), join(dead, `${id}.json`));
    },
  };
}

function read(text: string): QueuedReceipt | undefined {
  const parsed = parseJson(text);
  if (!parsed.ok || !isObject(parsed.value)) return undefined;
  const { id, txn, token_jti, outcome, proof } = parsed.value;
  const whole = [id, txn, token_jti, proof].every((member) => typeof member === 'string');
  const known = outcome === 'done' || outcome === 'failed' || outcome === 'not_run';
  return whole && known ? (parsed.value as unknown as QueuedReceipt) : undefined;
}
/** The name is on disk only once its folder is. */
async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
