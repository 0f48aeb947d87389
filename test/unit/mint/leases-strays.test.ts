/** What no lease names, how many there may be, and what asking again leaves. */
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { Unavailable } from '../../../src/errors.ts';
import { leasesOf } from '../../../src/mint/lease.ts';
import { ok } from '../../../src/wire/result.ts';
import { DEADLINE_MS, type Fake, fake, idle, type LeaseRoom, LIFE, leaseRoom, said } from './lease-room.ts';

const open: LeaseRoom[] = [];
const enter = (...fakes: readonly Fake[]): LeaseRoom => {
  const room = leaseRoom(...fakes);
  open.push(room);
  return room;
};
afterEach(async () => {
  for (const room of open.splice(0)) await room.close();
});

interface Listed extends Fake {
  /** Name, and when it was made, of what the back end lists. */
  readonly list: Map<string, number>;
  readonly asked: { readonly named: ReadonlySet<string>; readonly olderThan: number }[];
  left: number;
}
/** A kind whose back end may be listed. */
function listed(): Listed {
  const list = new Map<string, number>();
  const asked: Listed['asked'] = [];
  const back: Listed = Object.assign(
    fake('fake', async (named, olderThan) => {
      asked.push({ named, olderThan });
      const strays = [...list].filter(([name, at]) => !named.has(name) && at < olderThan);
      for (const [name] of strays.slice(0, strays.length - back.left)) list.delete(name);
      return { ended: Math.max(0, strays.length - back.left), left: Math.min(back.left, strays.length) };
    }),
    { list, asked, left: 0 },
  );
  return back;
}
const outcomes = (room: LeaseRoom): readonly unknown[] =>
  room
    .entries()
    .flatMap(({ kind, outcome, detail, txn }) => (kind === 'ended' ? [[outcome, detail, txn === undefined ? 'no story' : 'story']] : []));

describe('what no lease names', () => {
  it('is looked for as soon as a broker starts, and its place is free once it is found and ended', async () => {
    const back = listed();
    const first = enter(back);
    back.during = () => new Promise<never>(() => undefined);
    void first.ask();
    back.list.set('stray', first.world.now());
    await idle();
    const room = await first.next();
    open.push(room);
    await room.pass(DEADLINE_MS / 1000 + 2);
    assert.deepEqual([back.list.size, await room.outstanding()], [1, 1], 'its call might still have been under way');
    await room.pass(8);
    assert.deepEqual([back.list.size, room.states(), await room.outstanding()], [0, ['gone'], 0]);
    assert.deepEqual(outcomes(room), [
      ['revoked', 'strays', 'no story'],
      ['revoked', 'unanswered', 'story'],
    ]);
    assert.ok(room.world.now() < (room.records()[0]?.exp ?? 0), 'long before its end');
  });

  it('is never what is named, nor younger than the oldest call under way', async () => {
    const back = listed();
    const room = enter(back);
    const issued = await room.ask();
    assert.ok(issued.ok);
    back.list.set('n1', room.world.now());
    await room.pass(10);
    const since = room.world.now();
    back.during = () => new Promise<never>(() => undefined);
    void room.ask();
    back.list.set('under way', since);
    room.world.pass(2);
    const other = room.beside(back);
    open.push(other);
    await idle();
    assert.deepEqual([back.asked.at(-1)?.olderThan, back.asked.at(-1)?.named.has('n1')], [since - 2, true]);
    assert.deepEqual([...back.list.keys()], ['n1', 'under way']);
  });

  it('and could not be ended: nothing is said to have ended, and it is looked for again', async () => {
    const back = listed();
    const room = enter(back);
    back.left = 1;
    back.during = async () => {
      throw new Unavailable('fake');
    };
    assert.equal(said(await room.ask()), 'unavailable');
    back.list.set('stray', room.world.now());
    await room.pass(20);
    assert.deepEqual([back.list.size, await room.outstanding(), outcomes(room)], [1, 1, []]);
    assert.ok(back.asked.length >= 4 && back.asked.length <= 8, `${back.asked.length} times`);
    assert.equal((await room.leases.list()).overdue, 1);
    back.left = 0;
    await room.pass(4);
    assert.deepEqual([back.list.size, await room.outstanding()], [0, 0]);
  });

  it('is left alone where nothing is amiss, but for a look now and then', async () => {
    const back = listed();
    const room = enter(back);
    await room.ask();
    await room.pass(50);
    assert.equal(back.asked.length, 1);
    room.world.pass(300);
    await idle();
    assert.equal(back.asked.length, 2);
  });
});

describe('the cap', () => {
  it('holds for a role on every broker: never more than so many, whoever asks', async () => {
    const back = fake();
    const room = enter(back);
    const other = room.beside(back);
    open.push(other);
    let most = 0;
    back.during = async (_, made) => {
      most = Math.max(most, back.alive.size);
      return ok(made);
    };
    const asked = await Promise.all(Array.from({ length: 200 }, (_, i) => (i % 2 ? room : other).ask({ cap: 20 })));
    const counts = new Map<string, number>();
    for (const one of asked) counts.set(said(one), (counts.get(said(one)) ?? 0) + 1);
    assert.deepEqual([...counts].sort(), [
      ['issued', 20],
      ['mint_backpressure', 180],
    ]);
    assert.deepEqual([most, await room.outstanding()], [20, 20]);
    assert.equal(room.states().length, 20, 'what was refused has left no record');

    const [one] = asked.filter((result) => result.ok);
    assert.ok(one?.ok);
    await room.record.commit(room.record.open('receipt'), 'receipt', await room.leases.endOf(one.value.grant.txn, 'receipt'));
    room.leases.wake();
    await idle();
    assert.deepEqual([said(await room.ask({ cap: 20 })), said(await room.ask({ cap: 20 }))], ['issued', 'mint_backpressure']);
    await room.pass(LIFE + 1);
    assert.deepEqual([back.alive.size, await room.outstanding(), said(await room.ask({ cap: 20 }))], [0, 0, 'issued']);
  });

  it('counts each role by itself', async () => {
    const [back, other] = [fake(), fake('other')];
    const room = enter(back, other);
    const ask = async (kind: string) => said(await room.ask({ kind, cap: 1 }));
    assert.deepEqual([await ask('fake'), await ask('fake'), await ask('other')], ['issued', 'mint_backpressure', 'issued']);
  });
});

describe('asking again', () => {
  it('makes another and ends the one before it, in one step', async () => {
    const back = fake();
    const room = enter(back);
    const grant = room.grant();
    assert.equal(said(await room.ask({ grant })), 'issued');
    back.during = async (_, made) => {
      assert.deepEqual(room.states().toSorted(), ['ending', 'opening'], 'the first is ending before the second is made');
      return ok(made);
    };
    assert.equal(said(await room.ask({ grant, again: true })), 'issued');
    await room.pass(1);
    assert.deepEqual([[...back.alive], await room.outstanding()], [['canary-handle-fake-2'], 1]);
    assert.deepEqual(outcomes(room), [['revoked', 'asked_again', 'story']]);
    assert.equal((await room.store.scan({ term: leasesOf(grant.txn), limit: 9 })).length, 1);
  });

  it('while the first is under way is told to wait', async () => {
    const back = fake();
    const room = enter(back);
    const grant = room.grant();
    back.during = () => new Promise<never>(() => undefined);
    void room.ask({ grant });
    await idle();
    assert.equal(said(await room.ask({ grant, again: true })), 'retry_in_flight');
    assert.deepEqual([room.states(), back.alive.size], [['opening'], 1]);
  });

  it('leaves alone what another credential of the same action has', async () => {
    const [back, other] = [fake(), fake('other')];
    const room = enter(back, other);
    const grant = room.grant();
    const sibling = { ...grant, jti: `${grant.jti}0` };
    assert.equal(said(await room.ask({ grant })), 'issued');
    assert.equal(said(await room.ask({ grant: sibling, kind: 'other' })), 'issued');
    assert.equal(said(await room.ask({ grant, again: true })), 'issued');
    await room.pass(1);
    assert.deepEqual([back.alive.size, other.alive.size], [1, 1]);
  });

  it('by many at once leaves one', async () => {
    const back = fake();
    const room = enter(back);
    const grant = room.grant();
    assert.equal(said(await room.ask({ grant })), 'issued');
    const asked = await Promise.all(Array.from({ length: 20 }, () => room.ask({ grant, again: true })));
    const issued = asked.filter((result) => result.ok).length;
    await room.pass(1);
    assert.deepEqual([issued, back.alive.size], [1, 1]);
    assert.ok(asked.every((result) => ['issued', 'retry_in_flight'].includes(said(result))));
  });
});
