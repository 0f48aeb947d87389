/** A broker's store in a process of its own, to be killed: `open`s the file, or commits without end and prints each number answered for. */
import { writeSync } from 'node:fs';
import { StoreFault, StoreRefused } from '../../../src/store/store.ts';
import { sqliteStore } from '../../../src/store/store-sqlite.ts';

const [, , what, path = '', user] = process.argv;
// Only now, when all that it needs is read: where it stands that user may have no way in.
if (user !== undefined) {
  process.setgid?.(Number(user));
  process.setuid?.(Number(user));
}
/** Said before anything else is done, though the one who reads be slow. */
function say(text: string): void {
  for (let left = Buffer.from(`${text}\n`); left.length > 0; ) {
    try {
      left = left.subarray(writeSync(1, left));
    } catch (fault) {
      if (!(fault instanceof Error && 'code' in fault && fault.code === 'EAGAIN')) throw fault;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}
try {
  const store = await sqliteStore({ path });
  say('open');
  if (what === 'open') {
    setInterval(() => {}, 1_000);
  } else {
    const at = Math.floor(performance.timeOrigin / 1000);
    let next = 0;
    const lane = async (): Promise<void> => {
      for (;;) {
        const i = next++;
        await store.commit({
          at,
          notAfter: at + 3_600,
          claims: [
            { key: `once/${i}`, version: 0, value: i, until: at + 600, else: 'taken' },
            { key: `retry/${i}`, version: 0, value: { i }, until: at + 86_400, else: 'taken' },
            { sum: 'all', id: String(i), amount: 1, limit: 1e9, windowSeconds: 86_400, else: 'full' },
          ],
          entries: [{ body: { kind: 'minted', at, i, filler: 'x'.repeat(what === 'fill' ? 4_000 : 100) }, terms: [`id/${i}`] }],
        });
        say(String(i));
      }
    };
    await Promise.all(
      Array.from({ length: 64 }, () =>
        lane().catch(async (fault: unknown) => {
          say(fault instanceof StoreFault ? fault.what : String(fault));
          say(`poisoned ${store.poisoned}`);
        }),
      ),
    );
    await store.close();
    say('closed');
  }
} catch (fault) {
  say(fault instanceof StoreRefused ? `refused ${fault.code}` : String(fault));
}
