/** The one place where a call leaves the process: whatever happens around it, what was made is delivered or ended. */
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { refuse, Unavailable } from '../../../src/errors.ts';
import type { Lease } from '../../../src/model.ts';
import { ok } from '../../../src/wire/result.ts';
import { DEADLINE_MS, type Fake, fake, idle, type LeaseRoom, LIFE, leaseRoom, said } from './lease-room.ts';

let back: Fake;
let room: LeaseRoom;
function open(): void {
  back = fake();
  room = leaseRoom(back);
}
afterEach(() => room.close());
const kinds = (): readonly string[] => room.entries().map(({ kind }) => kind);
/** Nothing works, nothing is open, and its place is free. */
async function nothingLeft(): Promise<void> {
  await idle();
  assert.deepEqual([[...back.alive], room.states().filter((state) => state !== 'gone'), await room.outstanding()], [[], [], 0]);
}

describe('a mint that leaves the process', () => {
  it('is durable before the call, with its lease and its place under the cap', async () => {
    open();
    let seen: unknown;
    back.during = async (_, made) => {
      seen = [kinds(), room.states(), await room.outstanding(), room.records()[0]?.sealed];
      return ok(made);
    };
    const issued = await room.ask();
    assert.deepEqual(seen, [['intent'], ['opening'], 1, undefined]);
    assert.ok(issued.ok);
    assert.deepEqual([kinds(), room.states(), await room.outstanding()], [['intent', 'minted'], ['outstanding'], 1]);
    const [record] = room.records();
    assert.deepEqual([record?.kind, record?.txn, record?.exp], ['fake', issued.value.grant.txn, issued.value.grant.exp]);
    assert.equal(issued.value.expiresIn, LIFE);
  });

  it('keeps the handle sealed: no secret stands in record, ledger or fault', async () => {
    open();
    await room.ask();
    back.during = async () => {
      throw new Error('canary-fault');
    };
    await room.ask();
    const kept = JSON.stringify([...room.store.keys.values()]) + JSON.stringify(room.store.entries);
    for (const canary of ['canary-handle', 'canary-token', 'canary-fault', 'canary-purpose":']) assert.ok(!kept.includes(canary), canary);
    assert.ok(room.records()[0]?.sealed?.startsWith('s1.'));
    assert.ok(!JSON.stringify(room.records()).includes('canary-purpose'), 'a purpose is no part of a lease');
  });

  it('names the lease by its exchange, whatever the minter calls it', async () => {
    open();
    const [first, second] = [await room.ask(), await room.ask()];
    assert.deepEqual([said(first), said(second)], ['issued', 'issued']);
    const ids = [...room.store.keys.keys()].filter((key) => key.startsWith('lease/'));
    assert.equal(new Set(ids).size, 2);
    for (const id of ids) assert.match(id, /^lease\/lea_[0-9a-f]{32}$/);
  });

  it('that the back end refuses has made nothing: its place is free with the entry of the no', async () => {
    open();
    back.during = async (_, { lease }) => {
      back.alive.delete(lease?.handle ?? '');
      return refuse('mint_backpressure', { detail: 'busy' });
    };
    assert.equal(said(await room.ask()), 'mint_backpressure');
    assert.deepEqual([kinds(), back.revoked], [['intent', 'refused'], []]);
    await nothingLeft();
  });

  it('that fails is ended at once, by whatever it may have made', async () => {
    open();
    back.during = async () => {
      throw new Unavailable('fake');
    };
    back.ends = async ({ handle }) => {
      if (handle === undefined) back.alive.clear(); // it finds them by the action
      return { end: 'revoked' };
    };
    assert.equal(said(await room.ask()), 'unavailable');
    await nothingLeft();
    assert.deepEqual(kinds(), ['intent', 'faulted', 'ended']);
    const ended = room.entries().at(-1);
    assert.deepEqual(
      [ended?.outcome, ended?.detail, ended?.credential, ended?.client, ended?.subject],
      ['revoked', 'unanswered', 'fake', 'refund-bot', 'people:u_bob'],
    );
    assert.equal(ended?.txn, room.entries()[0]?.txn, 'in the same story');
  });

  it('whose outcome cannot be written is ended and not returned', async () => {
    open();
    back.during = async (_, made) => {
      room.store.break('disk');
      return ok(made);
    };
    assert.equal(said(await room.ask()), 'unavailable');
    await idle();
    assert.deepEqual([[...back.alive], back.revoked], [[], ['canary-handle-fake-1']], 'the call needs no store');
    room.store.break(undefined);
    back.during = async (_, made) => ok(made);
    await room.pass(DEADLINE_MS / 1000 + 3);
    assert.deepEqual(room.states(), ['gone'], 'and the record says so when there is one again');
  });

  it('whose end cannot be written either is not forgotten', async () => {
    open();
    const well = back.ends;
    back.during = async (_, made) => {
      room.store.break('disk');
      back.ends = async () => {
        throw new Unavailable('fake');
      };
      return ok(made);
    };
    assert.equal(said(await room.ask()), 'unavailable');
    await idle();
    assert.equal(back.alive.size, 1);
    room.store.break(undefined);
    back.ends = well;
    await room.pass(2);
    await nothingLeft();
    const ended = room.entries().find(({ kind }) => kind === 'ended');
    assert.deepEqual([ended?.outcome, ended?.detail], ['revoked', 'undelivered']);
  });

  it('that answers past the deadline is ended and not returned', async () => {
    open();
    back.during = async (_, made) => {
      room.world.pass(DEADLINE_MS / 1000 + 1);
      return ok(made);
    };
    assert.equal(said(await room.ask()), 'deadline');
    await nothingLeft();
    assert.equal(room.entries().at(-1)?.detail, 'undelivered');
  });

  it('that heeds no deadline keeps nobody waiting; what comes of it later is ended', async () => {
    open();
    let answer: () => void = () => undefined;
    back.during = (_, made) =>
      new Promise((resolve) => {
        answer = () => resolve(ok(made));
      });
    const asked = room.ask();
    await idle();
    await room.pass(DEADLINE_MS / 1000);
    assert.equal(said(await asked), 'deadline');
    assert.deepEqual(back.revoked, ['none']);
    answer();
    await idle();
    assert.deepEqual([[...back.alive], back.revoked], [[], ['none', 'canary-handle-fake-1']]);
    assert.deepEqual(kinds(), ['intent', 'refused', 'ended', 'ended']);
    await nothingLeft();
  });

  it('that gives more than was granted is ended and not returned', async () => {
    open();
    back.during = async (_, made) => ok({ ...made, effectiveExpiry: made.effectiveExpiry + 1 });
    assert.equal(said(await room.ask()), 'unavailable');
    await nothingLeft();
  });

  it('that gives less says so', async () => {
    open();
    back.during = async (_, made) =>
      ok({ ...made, effectiveExpiry: made.effectiveExpiry - 20, lease: { ...lease(made), exp: room.world.now() + 40 } });
    const issued = await room.ask();
    assert.ok(issued.ok);
    assert.equal(issued.value.expiresIn, LIFE - 20);
    assert.deepEqual([room.entries().at(-1)?.exp, room.records()[0]?.exp], [room.world.now() + 40, room.world.now() + 40]);
  });

  it('is stopped by what lands while the call is under way: a revocation of its action, a halt', async () => {
    open();
    const grant = room.grant();
    back.during = async (_, made) => {
      const ends = await room.leases.endOf(grant.txn, 'revoked');
      assert.equal(ends.length, 1);
      assert.ok((await room.record.commit(room.record.open('revoke'), 'revoked', ends)).ok);
      return ok(made);
    };
    assert.equal(said(await room.ask({ grant })), 'unavailable');
    await room.pass(1);
    await nothingLeft();

    const halt = { key: 'halt/all', version: 0, else: 'suspended' } as const;
    back.during = async (_, made) => {
      assert.ok((await room.record.commit(room.record.open('operator'), 'key', [{ ...halt, value: 1 }])).ok);
      return ok(made);
    };
    assert.equal(said(await room.ask({ claims: [halt] })), 'suspended');
    await nothingLeft();
  });
});
const lease = (made: { readonly lease?: Lease }): Lease => {
  assert.ok(made.lease);
  return made.lease;
};
