import { stringTables } from './cases-strings.ts';
import { runTables } from './oracle.ts';

runTables(stringTables);
