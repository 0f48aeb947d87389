import assert from 'node:assert/strict';
import { it } from 'node:test';
import { collection } from '../../../src/store/collection.ts';
import { sqliteStore } from '../../../src/store/store-sqlite.ts';
import type { Json, JsonObject } from '../../../src/wire/json.ts';

it('keeps records sealed under the very key they stand at', async () => {
  const store = await sqliteStore({ path: ':memory:', now: () => 1_000 });
  const seal = {
    seal: (name: string, value: Json): Json => ({ name, value }),
    open(name: string, sealed: Json): Json {
      if ((sealed as JsonObject)['name'] !== name) throw new Error('moved');
      return (sealed as JsonObject)['value'] as Json;
    },
  };
  interface Lamp {
    readonly lit: boolean;
  }
  const lamps = collection<Lamp>(store, 'lamp', seal);
  const commit = (claim: ReturnType<typeof lamps.put<'taken'>>) =>
    store.commit({ at: 1_000, notAfter: 1_000, claims: [claim], entries: [] });
  assert.equal(await lamps.get('a'), undefined);
  assert.equal(await commit(lamps.put('a', { lit: true }, 0, 'taken', { terms: ['lamps'] })), undefined);
  assert.deepEqual(await lamps.get('a'), { value: { lit: true }, version: 1 });
  assert.equal(await commit(lamps.put('a', { lit: false }, 0, 'taken')), 'taken');
  assert.equal(await commit(lamps.put('a', { lit: false }, 1, 'taken')), undefined);
  assert.deepEqual(await lamps.get('a'), { value: { lit: false }, version: 2 });
  const moved = { key: 'lamp/b', version: 0, value: seal.seal('lamp/a', true), else: 'taken' as const };
  await commit(moved);
  await assert.rejects(lamps.get('b'), /moved/);
  await store.close();
});
