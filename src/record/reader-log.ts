import type { Logger } from 'pino';
import type { Reader } from './record.ts';

/** One line for an entry: names and codes. Purpose, context, arguments and whatever was presented stay in the ledger. */
export function logReader(log: Logger): Reader {
  return (e, { milliseconds }) => {
    // What was asked for is a name of ours once policy has been asked about it; until then it is whatever somebody wrote there.
    const isKnown = e.policies !== undefined || e.txn !== undefined;
    const line = {
      kind: e.kind,
      exchange: e.exchange,
      request: e.request,
      client: e.client,
      subject: e.subject,
      resource: isKnown ? e.resource : undefined,
      tool: isKnown ? e.tool : undefined,
      policies: e.policies,
      txn: e.txn,
      jti: e.jti,
      reason: e.reason,
      code: e.code,
      detail: e.detail,
      outcome: e.outcome,
      by: e.by,
      milliseconds: Math.round(milliseconds * 10) / 10,
    };
    if (e.kind === 'faulted') log.error(line, 'entry');
    else log.info(line, 'entry');
  };
}
