/** `npm start`: a broker with its data in ./data and the sample policies. `-- --dev`: with an identity provider and a shop beside it. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { styleText } from 'node:util';
import { Command } from 'commander';
import { pino } from 'pino';
import { checkApp } from '../src/app-check.ts';
import type { Config } from '../src/config.ts';
import { EXIT, explainRefusal, readConfig, run } from '../src/main.ts';
import { createWorld } from '../src/world.ts';
import { DEV_FOLDER, type DevFile, devFile } from './demo/dev-file.ts';
import { AGENT_IDS, setStage } from './demo/stage.ts';

const command = new Command('npm start --')
  .description('Starts a broker on 127.0.0.1:8080.')
  .option('-c, --config <file>', 'YAML configuration', process.env['COUNTERSIGN_CONFIG'])
  .option('--dev', 'also a sample identity provider and a sample MCP server, with keys of their own')
  .option('--check', 'validate configuration and bundle, and exit')
  .exitOverride((stop) => process.exit(stop.exitCode === 0 ? EXIT.done : EXIT.usage))
  .parse();
const options = command.opts<{ config?: string; dev?: true; check?: true }>();
const say = (text = ''): void => console.log(text);
const dim = (text: string): string => styleText('dim', text);

try {
  if (options.dev) await dev();
  else {
    const config = readConfig(options.config);
    if (options.check) for (const line of await checkApp(config, { world: createWorld(), environment: process.env })) say(line);
    else {
      await run(config, process.env);
      welcome(config);
    }
  }
} catch (fault) {
  process.exitCode = explainRefusal(fault);
}

function welcome(config: Config): void {
  const { issuer } = config;
  say(`
${styleText('bold', 'Countersign')} is ready.
  issuer   ${issuer}
  keys     ${issuer}/jwks
  data     ${config.store.use === 'sqlite' ? config.store.path : config.store.use}   bundle  ${config.policies}   operator  ${config.operator.socket}

Try it:
  curl -s ${issuer}/readyz
  curl -s ${issuer}/.well-known/oauth-authorization-server
  curl -s ${issuer}/rar                    ${dim('# what an action looks like')}
  curl -s ${issuer}/openapi.json
  npm run rotate-keys -- status
  npm run verify-ledger
`);
  const missing = lacking(config);
  if (missing.length > 0) say(`Missing for production:\n${missing.map((line) => `  - ${line}`).join('\n')}\n`);
}
function lacking(config: Config): readonly string[] {
  const missing: string[] = [];
  if (config.issuers.length === 0)
    missing.push('issuers: nobody can be acted for until one is trusted; `npm start -- --dev` brings a sample one');
  if (config.issuer.startsWith('http:')) missing.push('issuer: loopback http; give it an https name with TLS in front');
  if (options.config === undefined)
    missing.push('a configuration of your own: -c countersign.yaml; `npx countersign --schema` prints what can stand in it');
  if (config.policies === './policies')
    missing.push('policies: the sample bundle; its agents’ private keys were thrown away, so put yours in');
  missing.push('a copy of the ledger’s head kept elsewhere: `npm run verify-ledger` prints it');
  return missing;
}

async function dev(): Promise<void> {
  mkdirSync(DEV_FOLDER, { recursive: true, mode: 0o700 });
  const log = pino({ base: null, level: 'info' }, { write: feed });
  const stage = await setStage({ folder: DEV_FOLDER, log, ports: { broker: 8080, people: 8081, shop: 9090 } });
  const { issuer } = stage.app;
  const file: DevFile = {
    issuer,
    resource: stage.shop.resource,
    people: stage.people.issuer,
    agents: Object.fromEntries(AGENT_IDS.map((id) => [id, { client: `${id}-app`, key: stage.agents[id].privateJwk }])),
  };
  writeFileSync(devFile, JSON.stringify(file, null, 2), { mode: 0o600 });
  chmodSync(devFile, 0o600);
  say(`
${styleText('bold', 'Countersign')}, with company. Everything is in ${DEV_FOLDER}; Ctrl-C stops it.
  console  ${styleText('bold', `${issuer}/console`)}   ${dim('be Carol to approve, Dana to operate; no passwords')}
  broker   ${issuer}
  people   ${stage.people.issuer}   ${dim('Alice leads support, Bob works there')}
  shop     ${stage.shop.resource}   ${dim('MCP: list_orders, create_refund, delete_customer')}
  bundle   ${stage.policies}   ${dim(`edit it, then: npm run policies -- --write --folder ${stage.policies}`)}

Be the agent, in another terminal:
  npm run ask -- create_refund payment_id=pay_8Qx2 amount_minor=4250 currency=EUR
  npm run ask -- create_refund payment_id=pay_8Qx2 amount_minor=9000 currency=EUR   ${dim('# refused, and told why')}
  npm run ask -- list_orders status=paid --for alice
  npm run ask -- delete_customer customer_id=cus_12 --for alice   ${dim('# waits for Carol, in the console')}
  npm run rotate-keys -- status --socket ${DEV_FOLDER}/operator.sock
`);
  let stopping = false;
  const stop = (): void => {
    if (stopping) process.exit(EXIT.fault);
    stopping = true;
    void stage.close().then(() => say('stopped'));
  };
  process.on('SIGTERM', stop).on('SIGINT', stop);
  process.on('SIGHUP', () => void stage.app.reload());
}

/** Entries as they become durable, a line each. */
function feed(line: string): void {
  const e = JSON.parse(line) as Record<string, string | number | readonly string[] | undefined>;
  if (e['msg'] !== 'entry') {
    if (Number(e['level']) >= 40)
      say(`${styleText('yellow', String(e['msg']))}  ${String(e['file'] ?? e['fault'] ?? '')} ${String(e['text'] ?? '')}`);
    return;
  }
  const good = e['kind'] === 'minted' || e['kind'] === 'receipt';
  const colour = good ? 'green' : e['kind'] === 'refused' || e['kind'] === 'faulted' ? 'yellow' : 'cyan';
  const what = [
    e['tool'] ?? (e['resource'] ? 'tool:list' : ''),
    e['subject'] ? `for ${e['subject']}` : '',
    e['client'] ? `by ${e['client']}` : '',
  ]
    .filter(Boolean)
    .join(' ');
  const why = [e['code'] ?? e['reason'], e['outcome'], Array.isArray(e['policies']) ? e['policies'].join(' + ') : '']
    .filter(Boolean)
    .join(' · ');
  say(`${styleText(colour, String(e['kind']).padEnd(8))} ${what}  ${dim(`${why}  ${e['exchange']}  ${e['milliseconds']} ms`)}`);
}
