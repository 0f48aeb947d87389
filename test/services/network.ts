/** A network of a service's own, with ways into it that can be cut: real ones, as between two machines. Linux, as root, with iproute2. */
import { randomInt } from 'node:crypto';
import { readlinkSync } from 'node:fs';
import { launch, newFolder, output, until } from './program.ts';

/** What is lost of a way: what is sent into the network, what comes out of it, or both. Nobody is told, as by a cable that is pulled. */
export type Lost = 'both' | 'there' | 'back';
export interface Way {
  /** The service's address on this way. */
  readonly host: string;
  cut(lost: Lost): Promise<void>;
  heal(): Promise<void>;
}
export interface Network extends AsyncDisposable {
  /** Put before a program that shall live in it. */
  readonly wrapper: readonly string[];
  readonly ways: readonly Way[];
}
/** Belongs to nobody here: what is sent to it is dropped where it arrives. */
const NOBODY = '02:00:00:00:00:99';

/** Undefined where the machine does not allow it. It ends with this process, however that ends. */
export async function openNetwork(ways: number): Promise<Network | undefined> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return undefined;
  const folder = newFolder('network');
  const holder = await launch({ program: 'unshare', args: ['--net', 'sleep', 'infinity'], folder, ready: async () => true }).catch(
    () => undefined,
  );
  if (!holder) return undefined;
  const pid = holder.pid();
  const isApart = (): boolean => readlinkSync(`/proc/${pid}/ns/net`) !== readlinkSync('/proc/self/ns/net');
  const wrapper = ['nsenter', `--net=/proc/${pid}/ns/net`];
  const here = (...args: readonly string[]): Promise<string> => output('ip', args, { seconds: 10 });
  const inside = (...args: readonly string[]): Promise<string> => output('nsenter', [...wrapper.slice(1), 'ip', ...args], { seconds: 10 });
  async function lead(i: number): Promise<Way> {
    const [outer, inner] = [`cs${pid}o${i}`, `cs${pid}i${i}`];
    const net = `10.${randomInt(200, 250)}.${randomInt(0, 255)}`;
    await here('link', 'add', outer, 'type', 'veth', 'peer', 'name', inner, 'netns', String(pid));
    await here('address', 'add', `${net}.1/30`, 'dev', outer);
    await inside('address', 'add', `${net}.2/30`, 'dev', inner);
    await here('link', 'set', outer, 'up');
    await inside('link', 'set', inner, 'up');
    return {
      host: `${net}.2`,
      async cut(lost) {
        if (lost === 'both') await inside('link', 'set', inner, 'down');
        else if (lost === 'there') await here('neighbour', 'replace', `${net}.2`, 'lladdr', NOBODY, 'dev', outer, 'nud', 'permanent');
        else await inside('neighbour', 'replace', `${net}.1`, 'lladdr', NOBODY, 'dev', inner, 'nud', 'permanent');
      },
      async heal() {
        await inside('link', 'set', inner, 'up');
        await here('neighbour', 'flush', 'dev', outer, 'nud', 'permanent');
        await inside('neighbour', 'flush', 'dev', inner, 'nud', 'permanent');
      },
    };
  }
  try {
    await until(isApart, 'the network', { seconds: 5 });
    await inside('link', 'set', 'lo', 'up');
    const led: Way[] = [];
    for (let i = 0; i < ways; i++) led.push(await lead(i));
    return { wrapper, ways: led, [Symbol.asyncDispose]: () => holder.stop() };
  } catch {
    await holder.stop();
    return undefined;
  }
}
