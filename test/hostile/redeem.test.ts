import { redeemDetailsCases, redeemerCases, redeemFormCases } from './cases-redeem-request.ts';
import { redeemProofCases, redeemTokenCases } from './cases-redeem-token.ts';
import { runRedeemTables } from './redeem-oracle.ts';

runRedeemTables([
  ['what is no action token', redeemTokenCases],
  ['what is no proof of this call', redeemProofCases],
  ['who redeems', redeemerCases],
  ['what is asked for', redeemFormCases],
  ['what is brought beside', redeemDetailsCases],
]);
