/** A small agent for the command line, since curl cannot sign: asks for one action, calls the tool, and shows the raw exchange. */
import { readFileSync } from 'node:fs';
import { styleText } from 'node:util';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { Command } from 'commander';
import { AgentError, createAgent, type Waiting } from '../src/agent/agent.ts';
import type { JsonObject } from '../src/wire/json.ts';
import { type DevFile, devFile } from './demo/dev-file.ts';
import { REDIRECT } from './demo/identity-provider.ts';
import { jsonOf, payloadOf, type Recorded, recorder } from './demo/recorder.ts';
import { signInAt } from './demo/sign-in.ts';

const command = new Command('npm run ask --')
  .description('Asks the broker for one tool action and runs it: name=value arguments; numbers and JSON are read as such.')
  .argument('<tool>', 'list_orders, create_refund or delete_customer')
  .argument('[arguments...]', 'for example amount_minor=4250')
  .option('--for <person>', 'alice, bob, or nobody: then the agent acts for itself', 'bob')
  .option('--as <agent>', 'refund-bot, triage-bot or nightly-report', 'refund-bot')
  .option('--purpose <text>', 'why, for the ledger', 'asked from the command line')
  .option('--file <path>', 'whose keys and addresses', devFile)
  .option('--json', 'one JSON document')
  .parse();
const options = command.opts<{ for: string; as: string; purpose: string; file: string; json?: true }>();
const [tool = '', ...pairs] = command.args;
process.exitCode = await ask();

/** Exit codes: 0 the tool ran · 1 refused · 2 nobody to ask · 3 usage. */
async function ask(): Promise<number> {
  const dev = readDev();
  if (!dev) return fail(2, 'There is nobody to ask: start them with `npm start -- --dev`, in another terminal.');
  const known = dev.agents[options.as];
  if (!known) return fail(3, `There is no agent of that name; there are ${Object.keys(dev.agents).join(', ')}.`);
  const args = readArguments(pairs);
  if (!args) return fail(3, 'Arguments are name=value, for example amount_minor=4250.');
  const wire = recorder();
  try {
    const signedIn =
      options.for === 'nobody'
        ? undefined
        : await signInAt({
            issuer: dev.people,
            clientId: known.client,
            redirectUri: REDIRECT,
            resource: dev.issuer,
            loginHint: options.for,
          });
    const agent = createAgent({
      issuer: dev.issuer,
      clientId: options.as,
      key: known.key,
      fetch: wire.fetch,
      ...(signedIn && { subject: { token: signedIn.idToken, type: 'id_token' as const } }),
    });
    const client = new Client({ name: 'ask', version: '1.0.0' });
    await client.connect(
      new StreamableHTTPClientTransport(new URL(dev.resource), {
        fetch: agent.fetchWith({ purpose: () => options.purpose, approval: 'wait', onWaiting: waits }),
      }),
    );
    wire.take();
    // People take their time.
    const result = await client.callTool({ name: tool, arguments: args }, { timeout: 900_000 });
    await client.close();
    show(wire.take());
    return result.isError ? 1 : 0;
  } catch (fault) {
    show(wire.take());
    if (fault instanceof AgentError) return refusedBy(fault);
    return fail(
      2,
      fault instanceof TypeError
        ? 'Nobody answers: start them with `npm start -- --dev`, in another terminal.'
        : fault instanceof Error
          ? fault.message
          : 'The call failed.',
    );
  }
}

function readDev(): DevFile | undefined {
  try {
    return JSON.parse(readFileSync(options.file, 'utf8')) as DevFile;
  } catch {
    return undefined;
  }
}
function readArguments(texts: readonly string[]): JsonObject | undefined {
  const args: Record<string, JsonObject[string]> = {};
  for (const text of texts) {
    const at = text.indexOf('=');
    if (at < 1) return undefined;
    const value = text.slice(at + 1);
    try {
      args[text.slice(0, at)] = JSON.parse(value) as JsonObject[string];
    } catch {
      args[text.slice(0, at)] = value;
    }
  }
  return args;
}

function waits({ polls, approvalUri, decisionId }: Waiting): void {
  if (polls > 0 || options.json) return;
  console.error(styleText('yellow', `A person has to agree${approvalUri ? `: ${approvalUri}` : ` (${decisionId ?? ''})`}. Waiting.`));
}
function show(exchanges: readonly Recorded[]): void {
  const shown = exchanges.filter((exchange) => exchange.method === 'POST');
  if (options.json) {
    console.log(
      JSON.stringify(
        shown.map((e) => ({ ...e, answer: jsonOf(e.answer) })),
        null,
        2,
      ),
    );
    return;
  }
  for (const { url, headers, body, status, answer } of shown) {
    console.log(styleText('cyan', `\nPOST ${url}`));
    for (const name of ['authorization', 'dpop', 'idempotency-key', 'content-type'])
      if (headers[name] !== undefined) console.log(styleText('dim', `${name}: ${headers[name]}`));
    if (url.endsWith('/token')) for (const [name, value] of new URLSearchParams(body)) console.log(`  ${name}=${value}`);
    else console.log(body);
    const json = jsonOf(answer);
    console.log(styleText(status < 400 ? 'green' : 'yellow', `\n${status}`));
    console.log(JSON.stringify(json, null, 2));
    if (typeof json['access_token'] === 'string')
      console.log(styleText('dim', `the token says: ${JSON.stringify(payloadOf(json['access_token']), null, 2)}`));
  }
  console.log();
}
function refusedBy(fault: AgentError): number {
  if (fault.code === 'ERR_UNAVAILABLE')
    return fail(2, 'The broker does not answer: start it with `npm start -- --dev`, in another terminal.');
  const { reason, remedy, decisionId } = fault;
  if (!options.json) {
    console.error(`Refused: ${reason ?? fault.code}. ${remedy?.text ?? ''}`);
    if (decisionId) console.error(`The whole story: npm run explain -- ${decisionId} --socket data/dev/operator.sock`);
  }
  return 1;
}
function fail(code: number, text: string): number {
  console.error(text);
  return code;
}
