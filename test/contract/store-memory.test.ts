import { memoryStore } from '../support/memory-store.ts';
import { storeContract } from './store.ts';

// The fake that rooms are tested with keeps the same promises as the back ends.
storeContract('the fake in memory', async () => {
  const clock = { at: 0 };
  return { store: memoryStore({ now: () => clock.at }), clock };
});
