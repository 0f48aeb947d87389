/** How soon what is revoked at one of two brokers is refused by both, and by a tool server that follows the other. Needs Redis. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createVerifier, followRevocations, memoryConsumed, VerifyError } from '../../src/verify/verify.ts';
import { eventually, operate } from '../faults/harness.ts';
import { type Outcome, type Sent, said, signed } from '../faults/load.ts';
import { openPair, type Pair, settled } from '../faults/pair.ts';
import { need } from '../services/provision.ts';
import { sha256 } from '../support/keys.ts';
import { bareJwk, RESOURCE } from '../support/rig.ts';
import { type Figure, rowOf } from './figure.ts';

const AGENT = 'refund-bot';
const REFUND = { payment_id: 'pay_1', amount_minor: 1, currency: 'EUR' };
const TARGET = { atMost: 1_000, excellent: 300 } as const;
/** How often each is asked whether it has heard. */
const EVERY_MS = 5;

export const revocation: Figure = {
  name: 'revocation',
  about: 'an agent halted at one broker: both refuse it, and a tool server its tokens',
  async measure({ quick, tell }) {
    await need('redis');
    await using pair = await openPair('one');
    await settled(pair);
    const { house, sides } = pair;
    const revocations = followRevocations({ issuer: house.issuer, resource: RESOURCE, clientId: 'shop', key: house.server.private });
    const verifier = createVerifier({ issuer: house.issuer, resource: RESOURCE, consumed: memoryConsumed(), revocations });
    /** What the tool server says to a token; its proof is made anew, and a no does not use it up. */
    async function present({ token, sent }: Granted): Promise<string> {
      const key = sent.wish.proofKey;
      const claims = { htm: 'POST', htu: RESOURCE, iat: Math.floor(Date.now() / 1000), jti: randomUUID(), ath: sha256(token) };
      const dpop = signed(key, { alg: 'ES256', typ: 'dpop+jwt', jwk: bareJwk(key) }, claims);
      const http = { method: 'POST', authorization: `DPoP ${token}`, dpop };
      try {
        await verifier.verify({ tool: sent.wish.tool, arguments: sent.wish.args, http });
        return 'ran';
      } catch (fault) {
        if (fault instanceof VerifyError) return fault.code;
        throw fault;
      }
    }
    const times: Record<'here' | 'there' | 'tool', number[]> = { here: [], there: [], tool: [] };
    try {
      if ((await present(await grantOf(pair, 0))) !== 'ran') throw new Error('the tool server takes no token');
      for (let i = 0; i < (quick ? 5 : 20); i++) {
        tell(`round ${i + 1}`);
        const granted = await grantOf(pair, 0);
        const halt = { scope: 'agent', target: AGENT, reason: 'drill' };
        const socket = join(house.folder, 'other.sock');
        const began = performance.now();
        const since = async (so: () => Promise<boolean>): Promise<number> => {
          while (!(await so())) {
            if (performance.now() - began > 20_000) throw new Error('it was not heard of');
            await sleep(EVERY_MS);
          }
          return performance.now() - began;
        };
        const refused = (side: 0 | 1) => async (): Promise<boolean> => said(await askAt(pair, side))[0] === 403;
        const [here, there, tool] = await Promise.all([
          since(refused(1)),
          since(refused(0)),
          since(async () => (await present(granted)) === 'ERR_TOKEN_REVOKED'),
          operate(socket, 'POST', '/operator/revocations', halt),
        ]);
        times.here.push(here);
        times.there.push(there);
        times.tool.push(tool);
        await operate(socket, 'POST', '/operator/revocations/undo', halt);
        for (const side of [0, 1] as const)
          if (!(await eventually(async () => said(await askAt(pair, side))[0] === 200))) throw new Error('it was not undone');
      }
    } finally {
      await revocations.close();
    }
    return {
      rows: [
        rowOf('the other broker refuses new grants', 'ms', times.there, TARGET),
        rowOf('  worst', 'ms', [Math.max(...times.there)]),
        rowOf('a tool server that follows the other refuses its tokens', 'ms', times.tool, TARGET),
        rowOf('  worst', 'ms', [Math.max(...times.tool)]),
        rowOf('  the broker that was told refuses new grants', 'ms', times.here),
      ],
      notes: [
        `From the operator's request at one broker, sent at the same moment, to the first refusal; each is asked every ${EVERY_MS} ms, with an exchange or a verification that is in the figure. ${sides.length} brokers, one Redis.`,
      ],
    };
  },
};
interface Granted {
  readonly token: string;
  readonly sent: Sent;
}
const askAt = ({ sides }: Pair, side: 0 | 1): Promise<Outcome> =>
  sides[side].load.ask(sides[side].load.wish({ client: AGENT, tool: 'create_refund', args: REFUND }));
async function grantOf(pair: Pair, side: 0 | 1): Promise<Granted> {
  const outcome = await askAt(pair, side);
  if (outcome.is !== 'answered' || outcome.answer.status !== 200) throw new Error(`no grant: ${said(outcome).join(' ')}`);
  return { token: String(outcome.answer.body['access_token']), sent: outcome.sent };
}
