/** Who must agree? Knows people and waiting; may not know how a token is checked or minted. */
import { type Result, refuse } from '../errors.ts';
import type { Asked, Bundle, Caller, Claim, Decision, Draft } from '../model.ts';
import { ok } from '../wire/result.ts';

export interface Approve {
  /** A poll: the request as it was proved when it was first made, if a person has agreed and client and key are the same. */
  resume(code: string, caller: Caller, bundle: Bundle, draft: Draft): Promise<Result<Asked>>;
  /** Nothing demanded, or agreed and still agreed; else a refusal that leaves the pending approval behind. */
  agree(asked: Asked, decision: Decision, draft: Draft): Promise<Result<readonly Claim[]>>;
}

/** Until people can be asked, what needs a person is refused, and the refusal says so: absence is deny. */
export function createApprove(): Approve {
  return {
    resume: async () => refuse('approval_unknown'),
    agree: async (_asked, decision) =>
      decision.approval
        ? refuse('approval_needed', {
            code: 'approval_needed',
            remedy: { text: 'Ask a person to do this themselves: this broker cannot ask one yet.' },
          })
        : ok([]),
  };
}
