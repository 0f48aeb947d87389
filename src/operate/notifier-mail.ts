/** Mail: plain text, a link, nothing that could be answered with a decision. */
import { createHash } from 'node:crypto';
import { createTransport } from 'nodemailer';
import { mailWords } from './notices-words.ts';
import type { Delivery, DeliveryFlaw, NoticeEvent, Notifier } from './notifier.ts';

export interface MailOptions {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly tls: 'starttls' | 'implicit' | 'none';
  readonly ca?: string | undefined;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly from: string;
  /** Team or person → addresses. */
  readonly to: Readonly<Record<string, readonly string[]>>;
  readonly events: readonly NoticeEvent[];
  readonly timeoutMs: number;
}
/** Who hears of halts. */
const OPERATORS = 'team:operators';

export function mailNotifier(options: MailOptions): Notifier {
  const { name, host, port, tls, ca, user, password, from, to, events, timeoutMs } = options;
  const readers = (event: NoticeEvent, who: readonly string[]): readonly string[] => [
    ...new Set((event === 'halt' ? [OPERATORS] : who).flatMap((one) => (Object.hasOwn(to, one) ? (to[one] ?? []) : []))),
  ];
  return {
    name,
    receiver: createHash('sha256')
      .update(JSON.stringify([host, port, user ?? '', from]))
      .digest('base64url'),
    wants: ({ event, who }) => events.includes(event) && readers(event, who).length > 0,
    async send(notice, _now, signal) {
      // A connection for each, so that a slow server ends with its own delivery.
      const transport = createTransport({
        host,
        port,
        secure: tls === 'implicit',
        requireTLS: tls === 'starttls',
        ignoreTLS: tls === 'none',
        ...(user !== undefined && { auth: { user, pass: password ?? '' } }),
        ...(ca !== undefined && { tls: { ca } }),
        connectionTimeout: timeoutMs,
        greetingTimeout: timeoutMs,
        socketTimeout: timeoutMs,
        disableFileAccess: true,
        disableUrlAccess: true,
      });
      const { subject, text } = mailWords(notice);
      const message = {
        from,
        to: readers(notice.event, notice.who).map((address) => ({ name: '', address })),
        subject,
        text,
        messageId: `<${notice.id}@${from.slice(from.lastIndexOf('@') + 1)}>`,
        date: new Date(notice.at * 1000),
        headers: { 'Auto-Submitted': 'auto-generated' },
      };
      const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
      const late = new Promise<Delivery>((resolve) => {
        const stop = (): void => {
          transport.close();
          resolve({ ok: false, flaw: 'timeout' });
        };
        if (limit.aborted) stop();
        else limit.addEventListener('abort', stop, { once: true });
      });
      const done = transport.sendMail(message).then(
        (): Delivery => ({ ok: true }),
        (fault: unknown): Delivery => deliveryOf(fault),
      );
      try {
        return await Promise.race([done, late]);
      } finally {
        transport.close();
      }
    },
  };
}

function deliveryOf(fault: unknown): Delivery {
  const { code, responseCode } = fault as { readonly code?: string; readonly responseCode?: number };
  const flaw = FLAWS[code ?? ''] ?? 'network';
  return { ok: false, flaw, ...(typeof responseCode === 'number' && { status: responseCode }) };
}
/** By nodemailer's own codes. */
const FLAWS: Readonly<Record<string, DeliveryFlaw>> = {
  ETIMEDOUT: 'timeout',
  EDNS: 'unresolved',
  ETLS: 'tls',
  EAUTH: 'refused',
  ENOAUTH: 'refused',
  EENVELOPE: 'refused',
  EMESSAGE: 'refused',
};
