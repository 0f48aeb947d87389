/** A broker to be killed: mints once at the Vault it is told, says what it got, and lives until it is ended. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { vaultMinter } from '../../src/mint/minter-vault.ts';
import { DATABASE, mint, now } from './vault-stage.ts';

const minter = vaultMinter({
  address: process.argv[2] ?? '',
  mount: 'jwt',
  audience: 'vault',
  timeoutMs: 3_000,
  now,
  random: randomBytes,
  registered: () => [],
  async login({ claims }) {
    process.send?.(claims);
    const [jwt] = await once(process, 'message');
    return String(jwt);
  },
});
const given = await mint(minter, DATABASE, { seconds: 6 });
process.stdout.write(JSON.stringify({ given, granted: given.grant.exp }));
setInterval(() => undefined, 1_000);
