/** Standard Webhooks: signed, one POST each; redirects are not followed and no answer is read. */
import { createHash } from 'node:crypto';
import type { LookupAddress } from 'node:dns';
import { request as plain } from 'node:http';
import { request as secure } from 'node:https';
import { isIP } from 'node:net';
import { Webhook } from 'standardwebhooks';
import type { Delivery, DeliveryFlaw, Notice, NoticeEvent, Notifier } from './notifier.ts';
import { guardedLookup, isInward } from './notifier-webhook-address.ts';

export interface WebhookOptions {
  readonly name: string;
  readonly url: string;
  /** `whsec_` and the key in base64. */
  readonly secret: string;
  readonly inward: boolean;
  readonly events: readonly NoticeEvent[];
  readonly for?: readonly string[] | undefined;
  readonly timeoutMs: number;
  readonly resolve?: (host: string) => Promise<readonly LookupAddress[]>;
}
/** 24 to 64 bytes, as Standard Webhooks asks for. */
export function isWebhookSecret(text: string): boolean {
  const [, coded = ''] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(text) ?? [];
  const bytes = Buffer.from(coded, 'base64');
  return bytes.toString('base64') === coded && bytes.length >= 24 && bytes.length <= 64;
}
/** A receiver that asks for more time is given an hour at most. */
const MAX_AFTER_SECONDS = 3_600;

export function webhookNotifier(options: WebhookOptions): Notifier {
  const { name, secret, inward, events, timeoutMs } = options;
  const url = new URL(options.url);
  const signer = new Webhook(secret);
  const wanted = options.for;
  const host = url.hostname.replace(/^\[|\]$/g, '');
  // An address that stands in the URL is never looked up: it is looked at here.
  const refused = !inward && isIP(host) !== 0 && isInward(host);

  return {
    name,
    receiver: createHash('sha256')
      .update(JSON.stringify([options.url, secret]))
      .digest('base64url'),
    wants: ({ event, who }) =>
      events.includes(event) && (event === 'halt' || wanted === undefined || who.some((one) => wanted.includes(one))),
    send(notice, now, signal) {
      if (refused) return Promise.resolve({ ok: false, flaw: 'inward' });
      const body = JSON.stringify(bodyOf(notice));
      const headers = {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        'user-agent': 'countersign',
        'webhook-id': notice.id,
        'webhook-timestamp': String(now),
        'webhook-signature': signer.sign(notice.id, new Date(now * 1000), body),
      };
      const lookup = inward ? {} : { lookup: guardedLookup(options.resolve) };
      return new Promise<Delivery>((resolve) => {
        const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
        // No agent: a connection for each, to the address that was looked at for it.
        const on = { method: 'POST', headers, agent: false, signal: limit, maxHeaderSize: 8_192, ...lookup } as const;
        const sent = (url.protocol === 'https:' ? secure : plain)(url, on);
        sent.on('response', ({ statusCode: status = 0, headers: said }) => {
          // What it has to say is not read.
          sent.destroy();
          resolve(deliveryOf(status, said['retry-after']));
        });
        sent.on('error', (fault: NodeJS.ErrnoException) => resolve({ ok: false, flaw: flawOf(fault, limit.aborted) }));
        sent.end(body);
      });
    },
  };
}

/** The payload: what it is about, and where it is decided. */
const bodyOf = ({ event, at, link, who, facts }: Notice): object => ({
  type: event === 'halt' ? 'halt' : `approval.${event}`,
  timestamp: new Date(at * 1000).toISOString(),
  data: { ...(link !== undefined && { link }), ...(who.length > 0 && { needs: who }), ...facts },
});
function deliveryOf(status: number, retryAfter: string | undefined): Delivery {
  if (status >= 200 && status < 300) return { ok: true };
  if (status === 410) return { ok: false, flaw: 'gone', status };
  if (status >= 300 && status < 400) return { ok: false, flaw: 'redirect', status };
  const seconds = /^\d{1,6}$/.test(retryAfter ?? '') ? Math.min(MAX_AFTER_SECONDS, Number(retryAfter)) : undefined;
  return { ok: false, flaw: 'status', status, ...(seconds !== undefined && { afterSeconds: seconds }) };
}
function flawOf({ code = '' }: NodeJS.ErrnoException, isLate: boolean): DeliveryFlaw {
  if (code === 'ERR_INWARD') return 'inward';
  if (isLate) return 'timeout';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'unresolved';
  return /CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO/.test(code) ? 'tls' : 'network';
}
