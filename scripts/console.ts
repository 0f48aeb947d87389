/**
 * A link into the console for whoever runs the broker: good once, for a minute. For a broker without a login of people, and while the issuer is down.
 *
 * Exit codes: 0 done · 1 refused · 2 the broker did not answer · 3 usage.
 */
import { Command } from 'commander';
import { operatorClient, Unreachable } from './operator-client.ts';

const { socket, json } = new Command('npm run console --')
  .description('Makes a link that logs you in to the console, once, within a minute.')
  .option('--socket <path>', 'operator.socket of the broker', './data/operator.sock')
  .option('--json', 'the answer as it is')
  .exitOverride((stop) => process.exit(stop.exitCode === 0 ? 0 : 3))
  .parse()
  .opts<{ socket: string; json?: true }>();

try {
  const { status, body } = await operatorClient({ socket })('POST', '/operator/tickets', {});
  const { url, expires_in: seconds } = body as { readonly url?: string; readonly expires_in?: number };
  if (status === 404) {
    console.error('This broker has no console: set `console: {}` in its configuration, or `console.login` for people.');
    process.exitCode = 1;
  } else if (status !== 200 || url === undefined) {
    console.error(`The broker refused (${status}).`);
    process.exitCode = 1;
  } else if (json) console.log(JSON.stringify(body));
  else
    console.log(
      `${url}\n\nGood once, for ${seconds} seconds. It logs you in as this machine's user: you see and do everything but approve.`,
    );
} catch (fault) {
  if (!(fault instanceof Unreachable)) throw fault;
  console.error(fault.message);
  process.exitCode = 2;
}
