import { credentials, failure, job, result, says, stage } from '../unit/mint/aws-fake.ts';
import { registered } from '../unit/mint/aws-world.ts';
import { type MinterMade, minterContract } from './minter.ts';

async function make(): Promise<MinterMade> {
  const on = await stage({ timeoutMs: 2_000 });
  let sessions = 0;
  let hangs = false;
  on.sts.answer = (response, asked) => {
    if (hangs) return;
    if (asked.method === 'GET') return says(failure('MissingAction'), 400)(response, asked);
    const end = on.world.now() + Number(asked.form['DurationSeconds']);
    says(result(credentials(end, { SessionToken: `canary-session-${sessions++}` })))(response, asked);
  };
  const one = job();
  const { call: _, ...noCall } = one;
  const { registration: __, ...noRegistration } = one;
  const call = one.call && { ...one.call, arguments: { customer_id: '../c_2' } };
  return {
    minter: on.minter,
    job: job(registered()),
    refused: {
      'no registration': [noRegistration, 'mint_refused'],
      'no action': [noCall, 'mint_refused'],
      'an argument that would mean more': [{ ...one, ...(call && { call }) }, 'arguments_bad'],
      'what it has no place for': [{ ...one, material: { csr: 'x' } }, 'request_malformed'],
    },
    now: on.world.now,
    calls: () => on.sts.asked.length,
    hang: (so) => {
      hangs = so;
    },
    close: async () => on[Symbol.asyncDispose](),
  };
}
minterContract('STS', make);
