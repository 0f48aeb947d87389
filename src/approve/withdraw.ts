import { type Result, refuse } from '../errors.ts';
import type { Claim, Draft } from '../model.ts';
import type { Store } from '../store/store.ts';
import { ok } from '../wire/result.ts';
import type { Asking } from './asking.ts';
import { approvalKey, type Keeper } from './kept.ts';

/**
 * Its own client does not want it any more: claims that end what waits, or was agreed to and not fetched; undefined where nothing is open under
 * this code, as for a token that has ended (RFC 7009 §2.2). What was taken of a plan is revoked by its tokens. Errors: `grant_refused` for another client.
 */
export type Withdraw = (code: string, client: string, draft: Draft) => Promise<Result<readonly Claim[] | undefined>>;

export const createWithdraw =
  ({ store, keeper, asking }: { readonly store: Pick<Store, 'look'>; readonly keeper: Keeper; readonly asking: Asking }): Withdraw =>
  async (code, client, draft) => {
    const id = keeper.idOf(code);
    const kept = id && keeper.read(id, (await store.look([approvalKey(id)])).found[0]);
    if (!kept) return ok(undefined);
    const { approval } = kept;
    if (approval.client !== client) return refuse('grant_refused', { detail: approval.id });
    draft.note({ ...approval.facts, approval: approval.id, detail: 'withdrawn' });
    return ok(asking.ended(kept, 'cancel', draft.now, 'retry_in_flight').claims);
  };
