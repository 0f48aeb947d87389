import { drive } from './drive.ts';
import { httpOf, makeRequests } from './requests.ts';
import { setScene } from './scene.ts';

const bench = await setScene({ flags: process.env['PROF'] ? ['--cpu-prof', '--cpu-prof-dir=/tmp/prof'] : [] });
await bench.tell({ be: 'broker', config: bench.config });
const n = 4000;
const d = drive(bench.port);
for (const subjects of ['fresh', 'fresh', 'kept', 'kept'] as const) {
  const reqs = makeRequests(await bench.scene(), n, { subjects }).map((m) => httpOf(m));
  const before = await bench.usage();
  const t = performance.now();
  const st = await d.closed(reqs, 64);
  const wall = performance.now() - t;
  const after = await bench.usage();
  console.log(
    subjects,
    [...st],
    'cpu µs/exchange',
    ((after.cpu - before.cpu) / n).toFixed(1),
    'main', (((after as any).main-(before as any).main)/n).toFixed(1), 'rate',
    ((n / wall) * 1000).toFixed(0),
    'rss',
    (after.rss / 1e6).toFixed(0),
  );
}
const floors = await bench.tell({ ask: 'floors' });
console.log(floors);
await bench.tell({ be: 'echo', port: bench.port });
d.close();
const d2 = drive(bench.port);
const reqs = makeRequests({ ...(await bench.scene()), nonce: 'x' }, n, { subjects: 'kept' }).map((m) => httpOf(m));
for (let i = 0; i < 3; i++) {
  const before = await bench.usage();
  await d2.closed(reqs, 64);
  const after = await bench.usage();
  console.log('echo', ((after.cpu - before.cpu) / n).toFixed(1));
}
d2.close();
await bench.stop();
setTimeout(() => process.exit(), 1500);
