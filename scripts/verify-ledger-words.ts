/** The ledger cannot be read at all: nothing is known of it. Constant text. */
export class LedgerUnreadable extends Error {
  readonly remedy: string;
  constructor(message: string, remedy: string, cause?: unknown) {
    super(message, { cause });
    this.remedy = remedy;
  }
}
