import { headerTables } from './cases-headers.ts';
import { runTables } from './oracle.ts';

runTables(headerTables);
