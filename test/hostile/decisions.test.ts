import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeManifest } from '../../scripts/policies.ts';
import { policyCases, RULES, TOOLS } from './cases-policy.ts';
import { runTables } from './oracle.ts';

runTables([['decisions', policyCases]], {
  bundle: async (folder) => {
    const file = join(folder, 'servers/shop.yaml');
    const text = await readFile(file, 'utf8');
    await writeFile(
      file,
      text.replace('\ntools:\n', () => `\ntools:${TOOLS}`),
    );
    await appendFile(join(folder, 'refunds.cedar'), RULES);
    await writeManifest(folder);
  },
});
