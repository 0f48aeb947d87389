import { after } from 'node:test';
import { sqliteStore } from '../../src/store/store-sqlite.ts';
import { memoryStore } from '../support/memory-store.ts';
import { planTurns } from './plan-turns.ts';
import { T } from './store-room.ts';

// One broker alone has an SQLite file: there the two are two exchanges of it.
planTurns(
  'the fake in memory',
  async () => {
    const store = memoryStore({ now: () => T });
    return { stores: [store, store], now: () => T };
  },
  400,
);
planTurns(
  'SQLite',
  async () => {
    const store = await sqliteStore({ path: ':memory:', now: () => T });
    after(() => store.close());
    return { stores: [store, store], now: () => T };
  },
  150,
);
