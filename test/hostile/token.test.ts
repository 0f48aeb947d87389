import { actionCases } from './cases-action.ts';
import { clientCases } from './cases-client.ts';
import { exchangeCases } from './cases-exchange.ts';
import { proofCases } from './cases-proof.ts';
import { runTables } from './oracle.ts';

runTables([
  ['client authentication', clientCases],
  ['DPoP', proofCases],
  ['exchange', exchangeCases],
  ['action', actionCases],
]);
