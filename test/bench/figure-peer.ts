/** Against what a team would build without us: a custom token-exchange grant of oidc-provider. */
import { generateKeyPairSync } from 'node:crypto';
import type { JWK } from 'jose';
import { RESOURCE } from '../support/rig.ts';
import { type Figure, rowOf } from './figure.ts';
import type { PeerOptions } from './peer.ts';
import { type Made, makeRequests } from './requests.ts';
import { driving, type Round, round } from './round.ts';
import { setStage, startChild } from './scene.ts';

const ROUND = 1_000;

export const peer: Figure = {
  name: 'peer',
  about: 'CPU of a custom token-exchange grant of oidc-provider 9 ÷ CPU of an exchange here',
  async measure({ quick, tell }) {
    const [stage, open, other] = [await setStage(), await setStage(), await setStage()];
    const [ours, likened, theirs] = [
      startChild(),
      startChild({ swap: './swap-open-policy.ts' }),
      // As it is deployed; without this koa and the provider talk to developers.
      startChild({ env: { NODE_ENV: 'production' } }),
    ];
    try {
      await ours.tell({ be: 'broker', config: stage.config });
      await likened.tell({ be: 'broker', config: open.config });
      await theirs.tell({ do: './peer.ts', input: peerOptions(other) });
      return await driving([stage.port, open.port, other.port], async (toUs, toLikened, toThem) => {
        const whole = async (): Promise<Made[]> => makeRequests(await stage.scene(), ROUND, { subjects: 'fresh' });
        const kept = async (): Promise<Made[]> => makeRequests(await stage.scene(), ROUND, { subjects: 'kept' });
        const base = async (of: typeof open): Promise<Made[]> => makeRequests(await of.scene(), ROUND, { subjects: 'fresh', base: true });
        tell('warming up');
        for (let i = 0; i < 4; i++) {
          await round(ours, toUs, await (i % 2 === 0 ? whole() : base(stage)));
          await round(likened, toLikened, await base(open));
          await round(theirs, toThem, await base(other));
        }
        const rounds: { readonly [K in 'them' | 'like' | 'base' | 'whole' | 'kept']: Round }[] = [];
        for (let i = 0; i < (quick ? 3 : 7); i++) {
          tell(`round ${i + 1}`);
          rounds.push({
            them: await round(theirs, toThem, await base(other)),
            like: await round(likened, toLikened, await base(open)),
            whole: await round(ours, toUs, await whole()),
            base: await round(ours, toUs, await base(stage)),
            kept: await round(ours, toUs, await kept()),
          });
        }
        const against = (one: keyof (typeof rounds)[number]): number[] => rounds.map((r) => r.them.cpu / r[one].cpu);
        const cpu = (one: keyof (typeof rounds)[number]): number[] => rounds.map((r) => r[one].cpu);
        return {
          rows: [
            rowOf('like for like, our ledger on', '×', against('like'), { atLeast: 1.8, excellent: 2 }),
            rowOf('everything on, subject tokens fresh', '×', against('whole'), { atLeast: 1.3, excellent: 1.5 }),
            rowOf('everything on, subject tokens kept', '×', against('kept')),
            rowOf('like for like and two decisions', '×', against('base')),
            rowOf('  CPU of one: oidc-provider', 'µs', cpu('them')),
            rowOf('  CPU of one: ours, like for like', 'µs', cpu('like')),
            rowOf('  CPU of one: ours, everything on', 'µs', cpu('whole')),
          ],
          notes: [
            'Theirs: private_key_jwt (ES256), jose verifies the subject token, an ES256 at+jwt of 60 s for one resource; memory adapter, NODE_ENV=production; no policy, no DPoP, no audit, nothing durable. Fresh subject tokens: both verify two signatures and make one.',
            'Like for like: the same requests (a base token: no details, no proof, no Idempotency-Key) to our broker with a policy engine that allows everything put in the place of Cedar. It still reads strictly, marks the assertion as spent and writes a chained entry, durable before the answer; theirs keeps jti in memory.',
            'Limits: one machine, one load generator, 64 in flight; their grant is ours to write, a dozen lines as their README shows; a durable adapter would cost them more than is counted here.',
          ],
        };
      });
    } finally {
      for (const child of [ours, likened, theirs]) await child.end();
      for (const one of [stage, open, other]) one.clear();
    }
  },
};

function peerOptions(stage: Awaited<ReturnType<typeof setStage>>): PeerOptions {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const client = stage.agents['refund-bot'];
  if (!client) throw new Error('the sample bundle has changed');
  return {
    issuer: stage.config.issuer,
    clientId: 'refund-bot',
    clientKey: client.publicJwk as JWK,
    signingKey: { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'ES256' },
    resource: RESOURCE,
    people: { issuer: stage.people.issuer, audience: 'refund-bot-app' },
  };
}
