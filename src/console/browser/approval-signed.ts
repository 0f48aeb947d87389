/** A yes that a passkey signs: over what this page shows, and nothing that the broker only says. */
import { canonical, type Digest, type JsonObject } from '../../wire/canonical.ts';
import { committed, type PlanStep, planned, signedOf } from '../../wire/signed.ts';
import type { Approval } from './approval.ts';
import { sha256, sign } from './passkey.ts';

/** `at`: where the vote goes. Throws NotSigned, and what the broker refuses. */
export const signYes = (one: Approval, at: string, chosen: { readonly steps?: readonly number[] }): Promise<object> =>
  sign(`${at}/${one.id}/challenge`, chosen, async ({ salt = '' }) =>
    signedOf({
      client: one.client,
      subject: one.subject,
      actors: one.actors,
      resource: one.resource,
      tool: one.tool,
      credential: one.credential,
      arguments: await digest(committed(await digest(shownArguments(one)), salt)),
      approval: one.id,
      bundle: one.bundle,
      expires: one.latest,
      vote: at.endsWith('/confirmations') ? 'confirm' : 'approve',
      ...chosen,
    }),
  );
/** As they stand on the page: of a plan, those of each step. */
function shownArguments({ arguments: args, steps, ordered }: Approval): JsonObject {
  if (!steps) return args;
  const all = steps.map(
    ({ resource, tool, arguments: own, arguments_digest: of }): PlanStep => ({ resource, tool, arguments: own, digest: of as Digest }),
  );
  return planned(ordered === true, all);
}
const digest = async (value: JsonObject): Promise<Digest> => `sha-256:${await sha256(canonical(value))}`;
