import { claimTables } from './cases-claims.ts';
import { runTables } from './oracle.ts';

runTables(claimTables);
