#!/usr/bin/env node
/** The process edge: reads arguments and environment once, makes the World, starts, drains on SIGTERM. */
import './main-memory.ts';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { pino } from 'pino';
import { parse as parseYaml } from 'yaml';
import type { App } from './app.ts';
import { type Config, configJsonSchema, parseConfig } from './config.ts';
import { ConfigError } from './errors.ts';
import { growWithLoad } from './main-memory.ts';
import { StoreRefused } from './store/store.ts';
import { createWorld } from './world.ts';

/** Exit codes: 0 done · 1 fault · 2 configuration, bundle or store refused · 3 usage. */
export const EXIT = { done: 0, fault: 1, refused: 2, usage: 3 } as const;

/** What a broker is without a file: loopback, SQLite in ./data, the bundle in ./policies, no trusted issuer. */
export const defaults = {
  issuer: 'http://127.0.0.1:8080',
  policies: './policies',
  store: { use: 'sqlite', path: './data/countersign.db' },
  keys: { use: 'local', secret: { file: './data/key' } },
  operator: { socket: './data/operator.sock' },
  metrics: 'public',
} as const;

/** Errors: ConfigError when the file is not there, not YAML, or not of the schema. */
export function readConfig(path: string | undefined): Config {
  if (path === undefined) return parseConfig(defaults);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    throw new ConfigError(['the configuration file cannot be read; name one with --config or COUNTERSIGN_CONFIG']);
  }
  let value: unknown;
  try {
    value = parseYaml(text, { uniqueKeys: true, strict: true });
  } catch {
    throw new ConfigError(['the configuration file is not YAML']);
  }
  return parseConfig(value);
}

/** From the word that it stops to its closing: as long as it takes until every connection in use has had an answer that ends it. */
const LINGER_MS = 500;

/** Starts a broker in this process and answers once it listens; it drains on SIGTERM and SIGINT, and a second signal ends it at once. */
export async function run(config: Config, environment: NodeJS.ProcessEnv): Promise<App> {
  const log = pino({ level: config.log, base: null, redact: ['*.token', '*.assertion', '*.proof', '*.authorization', '*.arguments'] });
  // Not above: all of that would be loaded before V8 has been told anything.
  const { createApp } = await import('./app.ts');
  const app = await createApp(config, { world: createWorld(), log, environment });
  await app.listen();
  growWithLoad();
  let stopping = false;
  const stop = (): void => {
    if (stopping) process.exit(EXIT.fault);
    stopping = true;
    log.info('draining');
    app.retire();
    sleep(LINGER_MS)
      .then(() => app.close())
      .then(
        () => log.info('stopped'),
        (fault: unknown) => {
          log.fatal({ fault: fault instanceof Error ? fault.message : 'unknown' }, 'stopped badly');
          process.exitCode = EXIT.fault;
        },
      );
  };
  process.on('SIGTERM', stop).on('SIGINT', stop);
  process.on('SIGHUP', () => void app.reload());
  return app;
}

/** For people: what to do next, never a stack. Returns the exit code. */
export function explainRefusal(fault: unknown): number {
  if (fault instanceof ConfigError) {
    console.error(`countersign: configuration refused\n${fault.problems.map((problem) => `  ${problem}`).join('\n')}`);
    return EXIT.refused;
  }
  if (fault instanceof StoreRefused) {
    console.error(`countersign: ${fault.message}\n  ${fault.remedy}`);
    return EXIT.refused;
  }
  if (fault instanceof Error && 'code' in fault && (fault.code === 'EADDRINUSE' || fault.code === 'EACCES')) {
    console.error('countersign: the address is in use or not ours to listen on; set listen.host and listen.port');
    return EXIT.refused;
  }
  console.error(fault);
  return EXIT.fault;
}

/** The command line of `countersign`: --config, --check, --schema. */
export async function main(argv: readonly string[], environment: NodeJS.ProcessEnv): Promise<void> {
  const command = new Command('countersign')
    .description('Issues one short-lived credential for one tool action of an AI agent.')
    .option('-c, --config <file>', 'YAML configuration', environment['COUNTERSIGN_CONFIG'])
    .option('--check', 'validate configuration and bundle, and exit')
    .option('--schema', 'print the JSON Schema of the configuration, and exit')
    .exitOverride((stop) => process.exit(stop.exitCode === 0 ? EXIT.done : EXIT.usage))
    .parse([...argv]);
  const options = command.opts<{ config?: string; check?: true; schema?: true }>();
  if (options.schema) {
    console.log(JSON.stringify(configJsonSchema(), null, 2));
    return;
  }
  try {
    const config = readConfig(options.config);
    if (options.check) {
      const { checkApp } = await import('./app-check.ts');
      for (const line of await checkApp(config, { world: createWorld(), environment })) console.log(line);
      return;
    }
    await run(config, environment);
  } catch (fault) {
    process.exitCode = explainRefusal(fault);
  }
}

if (import.meta.main) await main(process.argv, process.env);
