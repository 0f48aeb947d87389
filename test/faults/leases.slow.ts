/** `npm run faults`: two hundred kills while credentials are being made. `KILLS=20` for fewer. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { fakeArm, fakeBackend, fakeProgram, registerFake } from '../support/fake-backend.ts';
import { nothingLost } from './checks.ts';
import { eventually, openHouse } from './harness.ts';
import { killWhileMinting } from './lease-killing.ts';
import { createClients, launchOf, openLeases, strays } from './leasing.ts';

const KILLS = Number(process.env['KILLS'] ?? 200);

it(`killed ${KILLS} times while it mints: created − delivered − ended = 0`, async () => {
  const program = await fakeProgram();
  try {
    await using back = await fakeBackend();
    await using house = await openHouse({ config: { backends: [fakeArm(back, { listing: true })] } });
    await registerFake(house.policies, 2_000, 120);
    const clients = createClients(house);
    const launch = launchOf(house, program);
    const killed = await killWhileMinting(house, back, clients, {
      kills: KILLS,
      launch,
      onKill: ({ kills, orphans }) => {
        if (kills % 10 === 0) console.log(`${kills} kills, ${back.made.length} made, ${clients.given.size} delivered, ${orphans} orphans`);
      },
    });
    assert.ok(killed.orphans >= KILLS / 4, 'kills fell between the making and the record');
    const broker = await house.start(launch);
    const began = performance.now();
    assert.ok(await eventually(() => strays(house, back, clients).length === 0, 60_000), JSON.stringify(strays(house, back, clients)));
    console.log(`nothing stays ${Math.round(performance.now() - began)} ms after the last start`);
    assert.ok(await eventually(async () => (await openLeases(house)).open === 0, 150_000), JSON.stringify(await openLeases(house)));
    assert.deepEqual(back.outstanding(), []);
    await broker.stop();
    console.log(
      `${back.made.length} made, ${clients.given.size} delivered, ${killed.orphans} orphans, ${await nothingLost(house)} entries`,
    );
  } finally {
    program.remove();
  }
});
