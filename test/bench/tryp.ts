import { drive } from './drive.ts';
import { makeRequests, httpOf } from './requests.ts';
import { setScene } from './scene.ts';
const bench = await setScene({ flags: ['--cpu-prof', '--cpu-prof-interval=200', '--cpu-prof-dir=/tmp/mine/prof'] });
await bench.tell({ be: 'broker', config: bench.config });
const d = drive(bench.port);
for (let i = 0; i < 4; i++) await d.closed(makeRequests(await bench.scene(), 4000, { subjects: 'fresh' }).map((m) => httpOf(m)), 64);
d.close(); await bench.stop(); setTimeout(() => process.exit(), 1500);
