/** Of each check: what it is, and what to do where it is not well. */
export const AdviceOf: Readonly<Record<string, readonly [string, string]>> = {
  clock: [
    'Wall clock and monotonic clock agree.',
    'Look at the time service of this machine; nothing is granted while the clock is in doubt.',
  ],
  store: [
    'Every decision is written there before it is answered.',
    'Look at the disk or at Redis: is it full, gone or read-only? Nothing is granted until it can be written.',
  ],
  keys: ['What tokens are signed with.', 'Look at the log for why the keys cannot be read; the key file and the store belong together.'],
  policy: ['A bundle is in force.', 'Run `npm run policies` for what is wrong with the files.'],
  ledger: [
    'Every entry holds together with the one before.',
    'Keep a copy of the store, run `npm run verify-ledger`, and find out who could write to it.',
  ],
  bundle: ['The files are what is in force.', 'Run `npm run policies`, mend what it names, and load the files again below.'],
  key_file: ['The secret that seals the keys is there.', 'Put the file back from its backup before the next start.'],
  notify: ['People hear of what waits for them.', 'Look at the receiver’s address and secret.'],
};
