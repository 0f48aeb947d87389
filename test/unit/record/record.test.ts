import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refuse, Unavailable } from '../../../src/errors.ts';
import type { Draft, Entry } from '../../../src/model.ts';
import { fromBody } from '../../../src/record/entry.ts';
import { createRecord } from '../../../src/record/record.ts';
import type { JsonObject } from '../../../src/wire/json.ts';
import { memoryStore } from '../../support/memory-store.ts';
import { testWorld } from '../../support/test-world.ts';

function house(over: { readonly now?: () => number } = {}) {
  const world = { ...testWorld() };
  const pass = world.pass;
  if (over.now) world.now = over.now;
  const store = memoryStore({ now: testWorld().now });
  const read: Entry[] = [];
  const faults: unknown[] = [];
  const record = createRecord({
    store,
    world,
    deadlineMs: 5_000,
    readers: [(entry) => void read.push(entry)],
    onFault: (fault) => void faults.push(fault),
  });
  const ledger = (): readonly Entry[] => store.entries.map((row) => fromBody(row.value as JsonObject));
  return { world, pass, store, record, read, faults, ledger };
}

test('every entry has every member; what is not known is null', async () => {
  const { record, store } = house();
  await record.commit(record.open('exchange'), 'minted', []);
  const draft = record.open('exchange');
  draft.note({ client: 'bot', detail: 'x' });
  await record.refuse(draft, refuse('policy_denied').error);
  const [a, b] = store.entries.map((row) => Object.keys(row.value as object));
  assert.deepEqual(a, b);
  assert.ok((a?.length ?? 0) >= 28);
});

test('a mark burns with a refusal, and its second use becomes the refusal', async () => {
  const { record, ledger } = house();
  const first = record.open('exchange');
  first.spend({ once: 'assertion/a', issued: first.now, until: first.now + 60, else: 'assertion_replayed' });
  assert.equal((await record.refuse(first, refuse('policy_denied').error)).reason, 'policy_denied');
  const second = record.open('exchange');
  second.spend({ once: 'assertion/a', issued: second.now, until: second.now + 60, else: 'assertion_replayed' });
  second.spend({ once: 'proof/p', issued: second.now, until: second.now + 60, else: 'proof_replayed' });
  assert.equal((await record.refuse(second, { ...refuse('policy_denied').error, remedy: { text: 'less' } })).remedy, undefined);
  const third = record.open('exchange');
  third.spend({ once: 'proof/p', issued: third.now, until: third.now + 60, else: 'proof_replayed' });
  assert.equal((await record.refuse(third, refuse('policy_denied').error)).reason, 'proof_replayed');
  assert.deepEqual(
    ledger().map((e) => e.reason),
    ['policy_denied', 'assertion_replayed', 'proof_replayed'],
  );
});

test('of several used marks the first is the refusal, and nothing of what else was wrong stays with it', async () => {
  const { record, store, ledger } = house();
  const shown = (): Draft => {
    const draft = record.open('exchange');
    draft.spend({ once: 'assertion/a', issued: draft.now, until: draft.now + 60, else: 'assertion_replayed' });
    draft.spend({ once: 'proof/p', issued: draft.now, until: draft.now + 60, else: 'proof_replayed' });
    return draft;
  };
  await record.refuse(shown(), refuse('policy_denied').error);
  const claims = [{ key: 'left/behind', version: 0, value: 1, else: 'state_conflict' }] as const;
  const answer = await record.refuse(shown(), refuse('policy_denied', { code: 'too_large', detail: 'subject', claims }).error);
  assert.equal(answer.reason, 'assertion_replayed');
  const last = ledger().at(-1);
  assert.deepEqual([last?.reason, last?.code, last?.detail], ['assertion_replayed', undefined, undefined]);
  assert.equal(store.keys.has('left/behind'), false);
});

test('a bound mark may come again with the same value, and with no other', async () => {
  const { record } = house();
  for (const [bound, expected] of [
    ['k1', true],
    ['k1', true],
    ['k2', false],
  ] as const) {
    const draft = record.open('exchange');
    draft.spend({ once: 'workload/w', issued: draft.now, until: draft.now + 60, else: 'assertion_replayed', bound });
    const done = await record.commit(draft, 'minted', []);
    assert.equal(done.ok, expected);
  }
});

test('a claim that fails commits nothing, and is the refusal', async () => {
  const { record, ledger } = house();
  const claim = { key: 'halt/all', version: 1, else: 'suspended' } as const;
  const draft = record.open('exchange');
  const done = await record.commit(draft, 'minted', [claim]);
  assert.equal(!done.ok && done.error.reason, 'suspended');
  assert.equal(ledger().length, 0);
});

test('a dead store: unavailable, nothing written, the log knows', async () => {
  const { record, store, faults, ledger } = house();
  store.break('disk');
  const draft = record.open('exchange');
  await assert.rejects(record.commit(draft, 'minted', []));
  const refusal = await record.fault(draft, new Unavailable('policy'));
  assert.equal(refusal.reason, 'unavailable');
  store.break(undefined);
  assert.equal(ledger().length, 0);
  assert.equal(faults.length, 1);
});

test('a fault is an entry without the fault’s words', async () => {
  const { record, ledger } = house();
  const refusal = await record.fault(record.open('exchange'), new Error('secret canary'));
  assert.equal(refusal.reason, 'fault');
  assert.equal(JSON.stringify(ledger()).includes('canary'), false);
  assert.equal(ledger()[0]?.kind, 'faulted');
});

test('while the clock is in doubt entries carry the monotonic time', async () => {
  let broken = false;
  const steady = testWorld();
  const { record, pass, ledger } = house({
    now: () => {
      if (broken) throw new Unavailable('clock');
      return steady.now();
    },
  });
  await record.refuse(record.open('exchange'), refuse('policy_denied').error);
  broken = true;
  pass(30);
  await record.refuse(record.open('exchange'), refuse('policy_denied').error);
  const [a, b] = ledger();
  assert.equal((b?.at ?? 0) - (a?.at ?? 0), 30);
});

test('a reader that throws fails nobody', async () => {
  const world = testWorld();
  const store = memoryStore({ now: world.now });
  const faults: unknown[] = [];
  const record = createRecord({
    store,
    world,
    deadlineMs: 5_000,
    readers: [
      () => {
        throw new Error('reader');
      },
    ],
    onFault: (fault) => void faults.push(fault),
  });
  assert.equal((await record.commit(record.open('exchange'), 'minted', [])).ok, true);
  assert.equal(faults.length, 1);
});

test('ids stand in the order in which their stories began, whole seconds or not', () => {
  const { record, pass } = house();
  const ids = Array.from({ length: 3_000 }, () => {
    pass(0.0007);
    return record.open('exchange').id;
  });
  assert.deepEqual(ids, ids.toSorted());
  assert.ok(ids.every((id) => /^exc_[0-9a-f]{32}$/.test(id)));
});
