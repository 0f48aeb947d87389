import { Unavailable } from '../errors.ts';

/** For a record that does not open: no broker of this secret wrote it, so there is none. Throws every other fault. */
export function notOurs(fault: unknown): undefined {
  if (fault instanceof Unavailable && fault.what === 'seal') return undefined;
  throw fault;
}
