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
function cost(work: () => void, rounds: number): number {
  for (let i = 0; i < rounds / 4; i++) work();
  const samples: number[] = [];
  for (let s = 0; s < 5; s++) {
    const before = process.cpuUsage();
    for (let i = 0; i < rounds; i++) work();
    const { user, system } = process.cpuUsage(before);
    samples.push((user + system) / rounds);
  }
  return samples.sort((a, b) => a - b)[2] ?? 0;
}
export async function floors(): Promise<Floors> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const bytes = Buffer.alloc(400, 'a');
  const signature = sign('sha256', bytes, { key: privateKey, dsaEncoding: 'ieee-p1363' });
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
  const as = [{ as: 'subject', who: asked.subject } as const, { as: 'actor', who: agent } as const];
  let i = 0;
  return {
    verify: cost(() => void verify('sha256', bytes, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature), 3_000),
    sign: cost(() => void sign('sha256', bytes, { key: privateKey, dsaEncoding: 'ieee-p1363' }), 4_000),
    decision: cost(() => {
      const principal = as[i++ % 2];
      if (!principal || !bundle.policy.decide({ principal, asked, now: 1_795_176_000 }).allow) throw new Error('denied');
    }, 4_000),
  };
}
