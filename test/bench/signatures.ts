/** Counts what is really verified and signed: node:crypto itself is watched for a while. */
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';

export interface Signatures {
  readonly verified: number;
  readonly signed: number;
  readonly imported: number;
}
const real = { verify: crypto.verify, sign: crypto.sign, createPublicKey: crypto.createPublicKey };
const counts = { verified: 0, signed: 0, imported: 0 };

/** `true`: begins to count from nothing. `false`: ends, and tells. */
export function work(counting: boolean): Signatures {
  if (counting) Object.assign(counts, { verified: 0, signed: 0, imported: 0 });
  Object.assign(crypto, counting ? watched : real);
  syncBuiltinESMExports();
  return { ...counts };
}
const watching =
  (name: keyof Signatures, call: (...given: never[]) => unknown) =>
  (...given: never[]): unknown => {
    counts[name]++;
    return call(...given);
  };
const watched = {
  verify: watching('verified', real.verify),
  sign: watching('signed', real.sign),
  createPublicKey: watching('imported', real.createPublicKey),
};
