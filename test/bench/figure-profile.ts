/** Where the time of one exchange goes, by stage. */
import { type Figure, type Row, rowOf } from './figure.ts';
import { threadsOf } from './machine.ts';
import type { Profile } from './profiler.ts';
import { makeRequests, type Wishes } from './requests.ts';
import { driving, round } from './round.ts';
import { setScene } from './scene.ts';
import { byStage, STAGES } from './stages.ts';

const ROUND = 1_500;
const SAMPLER = 'the sampler itself';

export const profile: Figure = {
  name: 'profile',
  about: 'the CPU of one exchange, by stage',
  async measure({ quick, tell }) {
    const bench = await setScene();
    try {
      await bench.tell({ be: 'broker', config: bench.config });
      return await driving([bench.port], async (broker) => {
        const made = async (subjects: Wishes['subjects']) => makeRequests(await bench.scene(), ROUND, { subjects });
        tell('warming up');
        for (let i = 0; i < 4; i++) await round(bench, broker, await made('fresh'));
        const plain = (await round(bench, broker, await made('fresh'))).cpu;
        const rounds = quick ? 2 : 6;
        const requests = [];
        for (let i = 0; i < rounds; i++) requests.push(await made('fresh'));
        tell('sampling');
        await bench.tell({ do: './profiler.ts', input: true });
        const before = { usage: await bench.usage(), threads: threadsOf(bench.pid) };
        for (const one of requests) await round(bench, broker, one);
        const after = { usage: await bench.usage(), threads: threadsOf(bench.pid) };
        const seen = await bench.tell<Profile>({ do: './profiler.ts', input: false });
        const count = rounds * ROUND;

        const all = (after.usage.cpu - before.usage.cpu) / count;
        const main = (after.usage.main - before.usage.main) / count;
        const stages = byStage(seen);
        const sampled = [...stages.values()].reduce((sum, one) => sum + one, 0) / count;
        // By the clock: whoever else had the core meanwhile is taken out again, in proportion.
        const lines: Row[] = STAGES.flatMap((stage) => {
          const time = stages.get(stage);
          return time === undefined ? [] : [rowOf(stage, 'µs', [((time / count) * main) / sampled])];
        });
        lines.sort((a, b) => b.value - a.value);
        const threads = new Map<string, number>();
        for (const [id, { name, cpu }] of after.threads) {
          const spent = (cpu - (before.threads.get(id)?.cpu ?? 0)) / count;
          if (id !== bench.pid) threads.set(nameOf(name), (threads.get(nameOf(name)) ?? 0) + spent);
        }
        // The sampler's own thread is no part of an exchange.
        const whole = all - (threads.get(SAMPLER) ?? 0);
        threads.delete(SAMPLER);
        for (const [name, spent] of threads) if (spent >= 0.05) lines.push(rowOf(name, 'µs', [spent]));
        const sum = lines.reduce((total, { value }) => total + value, 0);
        return {
          rows: [
            ...lines.map((line) => ({ ...line, what: `${line.what.padEnd(40)} ${((100 * line.value) / whole).toFixed(1).padStart(5)} %` })),
            rowOf('sum of the stages', 'µs', [sum]),
            rowOf("the whole: process.cpuUsage less the sampler's thread", 'µs', [whole]),
            rowOf('  the same exchange unsampled', 'µs', [plain]),
            rowOf('the same sum before it was brought to CPU: off by', '%', [Math.abs(100 * (sampled - main)) / whole], { atMost: 10 }),
          ],
          notes: [
            `${count.toLocaleString('en')} exchanges, everything on, subject tokens fresh, 64 in flight, sampled every 200 µs. A sample belongs to the innermost room of src/ on its stack; what is shared (wire/) to the room that called it. Threads by the kernel's own count.`,
            `The sampler counts by the clock: ${sampled.toFixed(0)} µs of the main thread for ${main.toFixed(0)} µs of its CPU. What is over, another process had the core; the stages above stand in proportion to its CPU.`,
          ],
        };
      });
    } finally {
      await bench.stop();
    }
  },
};
function nameOf(thread: string): string {
  if (thread.startsWith('v8:Prof')) return SAMPLER;
  if (thread === 'store') return 'store: writer thread';
  if (thread.includes('V8')) return 'garbage collection and JIT, V8 threads';
  return 'other threads: libuv';
}
