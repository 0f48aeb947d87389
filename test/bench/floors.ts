/** Unit costs from hot loops, in CPU µs: what an exchange cannot do without. */
import { generateKeyPairSync, sign, verify } from 'node:crypto';
import { loadFolder } from '../../src/bundle/bundle-folder.ts';
import { cedarEngine } from '../../src/decide/policy-cedar.ts';
import type { Asked } from '../../src/model.ts';
import { digest } from '../../src/wire/digest.ts';

export interface Floors {
  /** ES256 verify and sign, and one sliced decision. */
  readonly verify: number;
  readonly sign: number;
  readonly decision: number;
}
type Loops = { readonly [K in keyof Floors]: () => void };
let loops: Promise<Loops> | undefined;

/** One sample of each. The first call warms them up. */
export async function work(): Promise<Floors> {
  const first = loops === undefined;
  loops ??= makeLoops();
  const { verify, sign, decision } = await loops;
  if (first) for (const loop of [verify, sign, decision]) cost(loop, 3_000);
  return { verify: cost(verify, 1_200), sign: cost(sign, 2_000), decision: cost(decision, 1_600) };
}
function cost(loop: () => void, rounds: number): number {
  const before = process.cpuUsage();
  for (let i = 0; i < rounds; i++) loop();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / rounds;
}
async function makeLoops(): Promise<Loops> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const bytes = Buffer.alloc(400, 'a');
  const signature = sign('sha256', bytes, { key: privateKey, dsaEncoding: 'ieee-p1363' });
  return {
    verify: () => {
      if (!verify('sha256', bytes, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature)) throw new Error('does not verify');
    },
    sign: () => void sign('sha256', bytes, { key: privateKey, dsaEncoding: 'ieee-p1363' }),
    decision: await decisions(),
  };
}
/** The sample bundle's, for subject and agent in turn. A broker in this process then prepares its slices anew: first this, then its warm-up. */
async function decisions(): Promise<() => void> {
  const loaded = await loadFolder('policies', cedarEngine());
  if (!loaded.ok) throw new Error('the sample bundle does not load');
  const { bundle } = loaded.value;
  const [server, agent] = [bundle.servers.byId('shop'), bundle.agents.byClient('refund-bot')];
  const tool = server?.tools.get('create_refund');
  if (!server || !agent || !tool) throw new Error('the sample bundle has changed');
  const args = { payment_id: 'pay_8Qx2', amount_minor: 4250, currency: 'EUR' };
  const asked: Asked = {
    caller: { client: agent, jkt: 'k' },
    subject: { kind: 'person', issuer: 'people', subject: 'u_bob', exp: 2e9, attributes: { groups: ['support'] } },
    actors: [agent],
    jkt: 'k',
    server,
    action: { kind: 'call', tool, call: { resource: server.resource, tool: tool.name, digest: digest(args), arguments: args } },
    kind: 'jwt',
    until: 2e9,
    deferred: false,
  };
  const principals = [{ as: 'subject', who: asked.subject } as const, { as: 'actor', who: agent } as const];
  let i = 0;
  return () => {
    const principal = principals[i++ % 2];
    if (!principal || !bundle.policy.decide({ principal, asked, now: 1_795_176_000 }).allow) throw new Error('denied');
  };
}
