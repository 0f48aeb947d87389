/** Which stage of an exchange a sample of the main thread belongs to. */
import type { Profile } from './profiler.ts';

export const STAGES = [
  'http: fastify, forms, answers',
  'http: sockets and parser (node)',
  'authenticate: signature checks',
  'authenticate: the rest',
  'decide: Cedar and its input',
  'mint and keys: signature',
  'mint and keys: the rest',
  'record: entry, metrics, log',
  'store: main thread',
  'bundle',
  'flow: broker.ts, world.ts',
  'node: promises, timers, messages',
  'native: system calls, the loop',
  'garbage collection, main thread',
] as const;
export type Stage = (typeof STAGES)[number];

const ROOMS: ReadonlyMap<string, Stage> = new Map([
  ['http', 'http: fastify, forms, answers'],
  ['authenticate', 'authenticate: the rest'],
  ['decide', 'decide: Cedar and its input'],
  ['mint', 'mint and keys: the rest'],
  ['keys', 'mint and keys: the rest'],
  ['record', 'record: entry, metrics, log'],
  ['store', 'store: main thread'],
  ['bundle', 'bundle'],
]);
type Node = Profile['nodes'][number];

/** µs by stage. Idle samples belong to none. */
export function byStage(profile: Profile): ReadonlyMap<Stage, number> {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const parents = new Map(profile.nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node.id] as const)));
  const stages = new Map<number, Stage | undefined>();
  const stageOf = (id: number): Stage | undefined => {
    if (!stages.has(id)) {
      const stack: Node[] = [];
      for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
        const node = nodes.get(at);
        if (node) stack.push(node);
      }
      stages.set(id, classify(stack));
    }
    return stages.get(id);
  };
  const sums = new Map<Stage, number>();
  for (const [i, id] of (profile.samples ?? []).entries()) {
    const stage = stageOf(id);
    // A sample lasts until the next one.
    const lasted = profile.timeDeltas?.[i + 1] ?? 0;
    if (stage) sums.set(stage, (sums.get(stage) ?? 0) + lasted);
  }
  return sums;
}

/**
 * Leaf first. The innermost room counts: everything synchronous stands on a frame of http, whose outermost would take it all. What both ends
 * share (`wire/`) belongs to the room that called it, and where a turn of the loop did, to authentication.
 */
function classify(stack: readonly Node[]): Stage | undefined {
  const names = stack.map(({ callFrame }) => callFrame.functionName);
  const urls = stack.map(({ callFrame }) => callFrame.url);
  if (names[0] === '(idle)') return undefined;
  if (names[0] === '(garbage collector)') return 'garbage collection, main thread';
  if (names[0] === '(program)' || names[0] === '(root)') return 'native: system calls, the loop';
  if (names.includes('verifyOneShot')) return 'authenticate: signature checks';
  if (names.includes('signOneShot')) return 'mint and keys: signature';
  if (names.includes('signJws')) return 'mint and keys: the rest';
  for (const url of urls) {
    const room = /\/src\/(\w+)\//.exec(url)?.[1];
    const stage = room === undefined ? undefined : ROOMS.get(room);
    if (stage) return stage;
  }
  if (urls.some((url) => url.includes('/src/wire/'))) return 'authenticate: the rest';
  if (urls.some((url) => /\/src\/\w+\.ts$/.test(url))) return 'flow: broker.ts, world.ts';
  if (urls.some((url) => url.includes('/node_modules/'))) return 'http: fastify, forms, answers';
  if (urls.some((url) => /^node:(_http|net|internal\/(streams|stream_base|http|net))/.test(url))) return 'http: sockets and parser (node)';
  return 'node: promises, timers, messages';
}
