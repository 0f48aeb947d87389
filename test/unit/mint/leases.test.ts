/** The queue that ends leases: durable, in nobody's way, and certain. */
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { Unavailable } from '../../../src/errors.ts';
import type { Why } from '../../../src/mint/lease.ts';
import { DEADLINE_MS, type Fake, fake, idle, type LeaseRoom, LIFE, leaseRoom, openLeases, said } from './lease-room.ts';

const open: LeaseRoom[] = [];
const enter = (...fakes: readonly Fake[]): LeaseRoom => {
  const room = leaseRoom(...fakes);
  open.push(room);
  return room;
};
afterEach(async () => {
  for (const room of open.splice(0)) await room.close();
});
const DEAD = async (): Promise<never> => {
  throw new Unavailable('fake');
};
/** An exchange whose process dies inside the call. */
const die = (back: Fake): void => {
  back.during = () => new Promise<never>(() => undefined);
};
async function endOf(room: LeaseRoom, txn: string, why: Why): Promise<void> {
  const done = await room.record.commit(room.record.open('receipt'), 'receipt', await room.leases.endOf(txn, why));
  assert.ok(done.ok);
  room.leases.wake();
  await idle();
}
const ends = (room: LeaseRoom): readonly unknown[] =>
  room.entries().flatMap(({ kind, outcome, detail, exp }) => (kind === 'ended' ? [[outcome, detail, exp]] : []));

describe('a lease ends', () => {
  it('with the receipt of its action, at once, and its place is free', async () => {
    const back = fake();
    const room = enter(back);
    const issued = await room.ask();
    const other = await room.ask();
    assert.ok(issued.ok && other.ok);
    await endOf(room, issued.value.grant.txn, 'receipt');
    assert.deepEqual([back.revoked, room.states(), await room.outstanding()], [['canary-handle-fake-1'], ['gone', 'outstanding'], 1]);
    assert.deepEqual(ends(room), [['revoked', 'receipt', room.world.now()]]);
    const told = room.entries().find(({ kind }) => kind === 'ended');
    assert.deepEqual([told?.txn, told?.jti === undefined, told?.tool], [issued.value.grant.txn, false, 'create_refund']);
    await room.pass(3);
    assert.equal(back.revoked.length, 1, 'once');
  });

  it('at its end, and no second before', async () => {
    const back = fake();
    const room = enter(back);
    await room.ask();
    await room.pass(LIFE - 1);
    assert.deepEqual(back.revoked, []);
    await room.pass(1);
    assert.deepEqual([back.revoked.length, room.states(), await room.outstanding()], [1, ['gone'], 0]);
    assert.deepEqual(ends(room), [['revoked', 'lapsed', room.world.now()]]);
  });

  it('by itself, where its back end takes nothing back: said once, and its place is kept until then', async () => {
    const back = fake();
    back.ends = async ({ exp }) => ({ end: 'dies', at: exp });
    const room = enter(back);
    const issued = await room.ask();
    assert.ok(issued.ok);
    const { txn, exp } = issued.value.grant;
    await endOf(room, txn, 'receipt');
    await room.pass(LIFE - 1);
    assert.deepEqual([back.revoked.length, room.states()[0], await room.outstanding()], [1, 'gone', 1]);
    await room.pass(2);
    assert.equal(await room.outstanding(), 0);
    assert.deepEqual(ends(room), [['dies', 'receipt', exp]]);
  });

  it('though its broker died inside the call, once that call’s deadline has passed', async () => {
    const back = fake();
    const first = enter(back);
    die(back);
    void first.ask();
    await idle();
    const room = await first.next();
    open.push(room);
    await room.pass(DEADLINE_MS / 1000 + 1);
    assert.deepEqual([room.states(), back.revoked], [['opening'], []], 'it may still be another broker’s, and answer');
    await room.pass(1);
    assert.deepEqual([room.states(), back.revoked], [['gone'], ['none']]);
    assert.deepEqual(ends(room), [['dies', 'unanswered', room.entries()[0]?.exp]]);
    assert.equal(await room.outstanding(), 1, 'whatever it made lives until the granted end, and counts');
  });
});

describe('a back end that is away', () => {
  it('is asked again, less and less often; what could not be ended is listed', async () => {
    const back = fake();
    const room = enter(back);
    const issued = await room.ask();
    assert.ok(issued.ok);
    back.ends = DEAD;
    await endOf(room, issued.value.grant.txn, 'receipt');
    const tried: number[] = [];
    for (let second = 0, seen = 0; second < 100; second++) {
      if (back.revoked.length > seen) tried.push(second);
      seen = back.revoked.length;
      await room.pass(1);
    }
    assert.deepEqual(tried, [0, 6, 18, 42, 90]);
    const listed = await room.leases.list();
    assert.deepEqual([listed.open, listed.overdue], [1, 1]);
    const [lease] = listed.leases;
    assert.deepEqual([lease?.kind, lease?.where, lease?.tries, lease?.why, lease?.overdue], ['fake', 'fake/refunds', 5, 'receipt', true]);
    assert.ok(!JSON.stringify(listed).includes('canary'));
    assert.deepEqual([...room.leases.counts()], [['fake', { open: 1, overdue: 1 }]]);
    assert.deepEqual(room.faults, [], 'that is no bug, and nobody is woken for it');
    assert.deepEqual(ends(room), []);
  });

  it('holds up nobody else, and is not met by everybody at once when it is back', async () => {
    const [back, other] = [fake(), fake('other')];
    const room = enter(back, other);
    let [now, most] = [0, 0];
    back.ends = async (lease) => {
      most = Math.max(most, ++now);
      await new Promise((resolve) => setTimeout(resolve, 1));
      now--;
      back.alive.delete(lease.handle ?? '');
      return { end: 'revoked' };
    };
    for (let i = 0; i < 40; i++) assert.equal(said(await room.ask()), 'issued');
    const hanging = new Promise<never>(() => undefined);
    const well = back.ends;
    back.ends = () => hanging;
    assert.equal(said(await room.ask({ kind: 'other' })), 'issued');
    room.world.pass(LIFE);
    await idle();
    assert.deepEqual([other.alive.size, back.alive.size], [0, 40]);
    assert.equal(back.revoked.length, 8, 'of forty that were due');
    back.ends = well;
    const later = await room.next();
    open.push(later);
    for (let i = 0; i < 40 && back.alive.size > 0; i++) {
      await later.pass(1);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.deepEqual([back.alive.size, most <= 8, await openLeases(later)], [0, true, 0]);
  });

  it('for ever: past its end nothing works, and a day later nobody waits any more', async () => {
    const back = fake();
    const room = enter(back);
    await room.ask();
    back.ends = DEAD;
    for (let hour = 0; hour < 25; hour++) {
      room.world.pass(3600);
      await idle();
    }
    assert.deepEqual([ends(room).map((end) => (end as unknown[])[0]), await openLeases(room)], [['expired'], 0]);
  });

  it('that cannot say is believed once its end has passed', async () => {
    const back = fake();
    back.ends = async () => ({ end: 'unknown' });
    const room = enter(back);
    await room.ask();
    await room.pass(LIFE);
    assert.deepEqual(room.states(), ['ending']);
    await room.pass(7);
    assert.deepEqual(
      ends(room).map((end) => (end as unknown[])[0]),
      ['expired'],
    );
  });

  it('and was taken out of the configuration: its leases are listed until they end', async () => {
    const back = fake();
    const first = enter(back);
    await first.ask();
    const room = await first.next(fake('other'));
    open.push(room);
    await room.pass(LIFE);
    assert.deepEqual([(await room.leases.list()).overdue, said(await room.ask())], [1, 'mint_refused']);
    await room.pass(10);
    assert.equal(await openLeases(room), 0);
  });
});

describe('several brokers', () => {
  it('of one store end each lease once', async () => {
    const back = fake();
    const room = enter(back);
    const others = [room.beside(back), room.beside(back)];
    open.push(...others);
    for (let i = 0; i < 30; i++) await room.ask();
    await room.pass(LIFE + 5);
    assert.deepEqual([back.alive.size, back.revoked.length, new Set(back.revoked).size], [0, 30, 30]);
    assert.deepEqual([ends(room).length, await openLeases(room), await room.outstanding()], [30, 0, 0]);
  });

  it('take over from one that dies while it tries', async () => {
    const back = fake();
    const first = enter(back);
    await first.ask();
    back.ends = () => new Promise<never>(() => undefined);
    first.world.pass(LIFE);
    await idle();
    assert.deepEqual([back.revoked.length, first.states()], [1, ['ending']]);
    const room = first.beside(back);
    open.push(room);
    back.ends = async ({ handle }) => {
      back.alive.delete(handle ?? '');
      return { end: 'revoked' };
    };
    await room.pass(7);
    assert.deepEqual([back.alive.size, room.states()], [0, ['gone']]);
  });
});
