/** Why a verified action brought no credential. */
export type RedeemCode =
  /** There is no action, or one of another issuer than this redeemer's; nothing was sent. */
  | 'ERR_REDEEM_ACTION'
  /** The broker does not accept this tool server, or not as one. */
  | 'ERR_REDEEM_CLIENT'
  /** The tool registers no credential of this kind for its server, or somebody in the action is suspended. */
  | 'ERR_REDEEM_DENIED'
  /** The broker refused the request as sent: the action was redeemed before, its arguments are needed, what was brought does not fit. */
  | 'ERR_REDEEM_REFUSED'
  /** The action, or what was made for it, has ended. */
  | 'ERR_REDEEM_ENDED'
  /** Broker or back end cannot be reached or cannot say; every try is used up. */
  | 'ERR_REDEEM_UNAVAILABLE'
  /** An answer that is not what wire.md promises: do not trust it. */
  | 'ERR_REDEEM_PROTOCOL';

export interface RedeemErrorFacts {
  readonly status?: number;
  /** The OAuth error code (RFC 6749 §5.2). */
  readonly error?: string;
  /** What the operator's `explain` takes. */
  readonly decisionId?: string;
}
const TEXT: Readonly<Record<RedeemCode, string>> = {
  ERR_REDEEM_ACTION: 'There is no verified action of this issuer.',
  ERR_REDEEM_CLIENT: 'The broker does not accept this tool server.',
  ERR_REDEEM_DENIED: 'The broker gives no credential of this kind for this action.',
  ERR_REDEEM_REFUSED: 'The broker refused the redemption as it was asked for.',
  ERR_REDEEM_ENDED: 'The action has ended.',
  ERR_REDEEM_UNAVAILABLE: 'The broker or its back end cannot be reached or cannot say now.',
  ERR_REDEEM_PROTOCOL: 'The broker gave an answer that is not of the protocol.',
};

/** No credential was handed out. The text is constant; `cause` may hold the network's own error. */
export class RedeemError extends Error {
  override readonly name = 'RedeemError';
  readonly code: RedeemCode;
  readonly status: number | undefined;
  readonly error: string | undefined;
  readonly decisionId: string | undefined;
  constructor(code: RedeemCode, { status, error, decisionId }: RedeemErrorFacts = {}, cause?: unknown) {
    super(TEXT[code], cause === undefined ? undefined : { cause });
    this.code = code;
    this.status = status;
    this.error = error;
    this.decisionId = decisionId;
  }
}
