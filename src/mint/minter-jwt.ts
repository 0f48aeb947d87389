import type { Signer } from '../keys/signer.ts';
import { TYP_ACCESS_TOKEN } from '../wire/oauth.ts';
import { ok } from '../wire/result.ts';
import type { Minter } from './minter.ts';

/** Action and base tokens: RFC 9068 access tokens, signed here, so no lease and no second write. */
export function jwtMinter(options: { readonly signer: Signer }): Minter {
  return {
    kind: 'jwt',
    prepare: (_job, grant) =>
      ok({
        run: async ({ turn }) =>
          ok({
            kind: 'jwt',
            token: await (turn
              ? turn('sign', () => options.signer.sign({ typ: TYP_ACCESS_TOKEN }, grant.claims))
              : options.signer.sign({ typ: TYP_ACCESS_TOKEN }, grant.claims)),
            effectiveExpiry: grant.exp,
          }),
      }),
    // A token that is out cannot be called back: introspection says no, everything else waits for its end.
    revoke: async (lease) => ({ end: 'dies', at: lease.exp }),
    describe: async () => ({ ready: true, detail: 'signs here' }),
  };
}
