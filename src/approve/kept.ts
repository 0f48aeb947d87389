/** How an approval stands in the store: as one versioned key, under a MAC, with what is nobody's business sealed. */
import type { Reason } from '../errors.ts';
import type { Secret } from '../keys/secret.ts';
import { type Claim, type Id, nameOf } from '../model.ts';
import type { Found } from '../store/store.ts';
import { canonical, isSameText, sha256 } from '../wire/digest.ts';
import { isObject, type Json, type JsonObject } from '../wire/json.ts';
import { type Approval, isOpen, type State } from './state.ts';

/** An approval and the version it stands at; 0: not yet. */
export interface Kept {
  readonly version: number;
  readonly approval: Approval;
}
/** What deciding again and showing it to people need, and the ledger must not hold. */
export interface Sealed {
  readonly arguments: JsonObject;
  readonly attributes: JsonObject;
}
export interface Keeper {
  /** Undefined where there is none, and where what stands there was not written by a broker with this secret, or not at this version. */
  read(id: Id<'apr'>, found: Found | undefined): Kept | undefined;
  write(kept: Kept, next: Approval, otherwise: Reason): Claim;
  seal(id: Id<'apr'>, what: Sealed): string;
  /** Throws Unavailable('seal') where it does not open. */
  open(approval: Approval): Sealed;
  bind(what: Json): string;
  /** A secret of its client, made again from the id each time: the store holds nothing of it. */
  codeOf(id: Id<'apr'>): string;
  /** What hides the arguments in what a passkey signs (challenge.ts). Made again each time, as the code is. */
  saltOf(id: Id<'apr'>): string;
  /** The approval whose code this is. */
  idOf(code: string): Id<'apr'> | undefined;
}

export const approvalKey = (id: Id<'apr'>): string => `approval/${id}`;
/** The latest approval of the same request. */
export const latestKey = (bind: string): string => `approval-of/${bind}`;
/** When its client last asked, beside the record: a poll takes no vote's turn. */
export const pollKey = (id: Id<'apr'>): string => `approval-poll/${id}`;
export const termOfState = (state: State): string => `approval/${state}`;
/** What waits, or waited and can still be denied, for this person's own confirmation. */
export const termOfConfirmer = (name: string): string => `approval-confirmer/${sha256(name)}`;
/** Remembered past its end, so that whoever still polls is told what became of it. Seconds. */
export const REMEMBER_SECONDS = 24 * 3600;

const CODE = /^([0-9a-f]{32})\.[A-Za-z0-9_-]{43}$/;

export function createKeeper(secret: Secret): Keeper {
  const macOf = (version: number, approval: Json): string => secret.mac('approval', canonical({ version, approval }));
  const codeOf = (id: Id<'apr'>): string => `${id.slice('apr_'.length)}.${secret.mac('approval', `code ${id}`)}`;
  return {
    read(id, found) {
      if (!found || !isObject(found.value)) return undefined;
      const { approval, mac } = found.value;
      if (!isObject(approval) || typeof mac !== 'string' || approval['id'] !== id) return undefined;
      if (!isSameText(mac, macOf(found.version, approval))) return undefined;
      return { version: found.version, approval: approval as unknown as Approval };
    },
    write({ version }, next, otherwise) {
      const approval = JSON.parse(JSON.stringify(next)) as JsonObject;
      return {
        key: approvalKey(next.id),
        version,
        value: { approval, mac: macOf(version + 1, approval) },
        until: next.until + REMEMBER_SECONDS,
        terms: [termOfState(next.state), ...(next.demand.confirm && isOpen(next) ? [termOfConfirmer(nameOf(next.subject))] : [])],
        else: otherwise,
      };
    },
    seal: (id, { arguments: args, attributes }) => secret.seal(approvalKey(id), { arguments: args, attributes }),
    open: ({ id, sealed }) => secret.open(approvalKey(id), sealed) as unknown as Sealed,
    bind: (what) => secret.mac('approval', canonical({ bind: what })),
    codeOf,
    saltOf: (id) => secret.mac('approval', `salt ${id}`),
    idOf(code) {
      const root = CODE.exec(code)?.[1];
      if (root === undefined) return undefined;
      const id: Id<'apr'> = `apr_${root}`;
      return isSameText(code, codeOf(id)) ? id : undefined;
    },
  };
}
