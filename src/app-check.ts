/** What must be good before anything starts, and what is said first. */
import { credentials, secretSource } from './app-backends.ts';
import { folderBundles } from './bundle/bundle-folder.ts';
import type { Config } from './config.ts';
import { cedarEngine } from './decide/policy-cedar.ts';
import { ConfigError } from './errors.ts';
import { openSecret } from './keys/secret-file.ts';
import type { World } from './model.ts';
import { fromBody } from './record/entry.ts';
import type { Recorder } from './record/record.ts';
import type { Store } from './store/store.ts';
import type { JsonObject } from './wire/json.ts';

/** Validates configuration, key source and bundle; writes nothing. What is good is said in a line each. */
export async function checkApp(
  config: Config,
  edge: { readonly world: World; readonly environment: Readonly<Record<string, string | undefined>> },
): Promise<readonly string[]> {
  const bundles = await folderBundles({
    folder: config.policies,
    engine: cedarEngine(),
    credentials: credentials(config),
    today: () => dayOf(edge.world),
    watch: false,
  });
  try {
    const { agents, servers, policy } = bundles.current();
    if ('env' in config.keys.secret) openSecret(secretSource(config, edge.environment));
    const { hash, warnings } = bundles.report();
    return [
      'configuration: good',
      `bundle: good — ${agents.all.length} agents, ${servers.all.length} servers, ${policy.size} policies, ${hash}`,
      ...warnings.map((w) => `warning: ${w.file}${w.line === undefined ? '' : `:${w.line}`}: ${w.text}`),
    ];
  } finally {
    bundles.close();
  }
}

export const dayOf = (world: World): string => new Date(world.now() * 1000).toISOString().slice(0, 10);

/** What was used up is forgotten once its time has passed: begun again at an earlier time, it would work again. Throws ConfigError. */
export async function inOrder(store: Store, world: World): Promise<void> {
  const [last] = await store.scan({ term: 'entry', limit: 1, newestFirst: true });
  if (last && world.now() < fromBody(last.value as JsonObject).at - REMEMBERED_SECONDS)
    throw new ConfigError([
      "clock: this machine's clock is behind the ledger's last entry; set it right, or wait until that time has passed",
    ]);
}
/** What has ended is remembered as much longer (store.ts), so that a small step back of the clock is no matter. */
const REMEMBERED_SECONDS = 60;
/** What is in force is part of the story: each bundle that comes into force is an entry. */
export async function recordBundle(record: Recorder, bundle: string, by: string): Promise<void> {
  const draft = record.open('bundle');
  draft.note({ bundle, by });
  await record.commit(draft, 'bundle', []);
}
