/** The demo's shop as a process of its own, behind whatever ends TLS for it: what docker/compose.yml runs. Reads the environment once. */
import { readFileSync } from 'node:fs';
import type { JsonObject } from '../../src/wire/json.ts';
import type { DemoKey } from './keys.ts';
import { startShop } from './shop.ts';

function setting(name: string): string {
  const value = process.env[name];
  if (value !== undefined && value !== '') return value;
  console.error(`shop: ${name} is not set; docker/compose.yml shows all of them`);
  process.exit(2);
}
const issuer = setting('SHOP_ISSUER');
const resource = setting('SHOP_RESOURCE');
const [, host = '', port = ''] = /^(.*):(\d{1,5})$/.exec(setting('SHOP_LISTEN')) ?? [];
const privateJwk = JSON.parse(readFileSync(setting('SHOP_KEY_FILE'), 'utf8')) as JsonObject;
const serverKey: DemoKey = { kid: String(privateJwk['kid']), privateJwk, publicJwk: {} };

const shop = await startShop({ issuer, serverKey, port: Number(port), public: { host, resource } });
console.log(`shop: ${shop.resource}, for ${issuer}`);
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void shop.close());
