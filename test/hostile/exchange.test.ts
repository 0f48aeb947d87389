import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeManifest } from '../../scripts/policies.ts';
import { confusionCases } from './cases-confusion.ts';
import { deputyCases } from './cases-deputy.ts';
import { FOURTH_AGENT, spliceCases } from './cases-splice.ts';
import { targetCases } from './cases-target.ts';
import { runTables } from './oracle.ts';

runTables(
  [
    ['one token in another’s place', confusionCases],
    ['tokens put together as nobody meant them', spliceCases],
    ['tokens that are good in other hands', deputyCases],
    ['what is asked for', targetCases],
  ],
  {
    bundle: async (folder) => {
      await appendFile(join(folder, 'agents.yaml'), FOURTH_AGENT);
      await writeManifest(folder);
    },
  },
);
