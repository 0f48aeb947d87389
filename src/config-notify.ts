/** What is told of notification, and of how much one person may agree to. A part of the one schema in config.ts. */
import { z } from 'zod';

/** In the order of an approval's life; `halt`: somebody or something was halted, or is not any more. */
export const EVENTS = ['pending', 'approved', 'denied', 'expired', 'cancelled', 'halt'] as const;
const name = /^[a-z][a-z0-9-]{0,31}:[^\s,]{1,255}$/;
const names = z.array(z.string().regex(name, 'must be a team or a person, such as team:privacy')).min(1);
const events = (...standing: (typeof EVENTS)[number][]) => z.array(z.enum(EVENTS)).min(1).default(standing).describe('What it is told of');
const timeoutMs = z.int().min(50).max(10_000).default(5_000).describe('One delivery');

/** `id` and `secretRef` are config.ts's own, as everywhere. */
export const notifySchema = <I extends z.ZodType<string>, S extends z.ZodType>({
  id,
  secretRef,
}: {
  readonly id: I;
  readonly secretRef: S;
}) =>
  z
    .array(
      z.discriminatedUnion('use', [
        z.strictObject({
          use: z.literal('webhook'),
          id: id.optional().describe('Its name in log and metrics; absent: webhook'),
          url: z
            .url()
            .max(2_048)
            .refine(isReceiver, 'must be https (http on loopback alone), without user or fragment')
            .describe('Who receives Standard Webhooks'),
          secret: secretRef.describe('whsec_…, of which the receiver knows the same'),
          inward: z
            .literal('allowed')
            .optional()
            .describe('Said by name, it may be at a private, link-local or loopback address; else such an address is never asked'),
          events: events(...EVENTS),
          for: names.optional().describe('Only of what one of these must agree to; absent: of everything'),
          timeoutMs,
        }),
        z.strictObject({
          use: z.literal('mail'),
          id: id.optional().describe('Its name in log and metrics; absent: mail'),
          host: z.string().regex(/^[A-Za-z0-9.:-]{1,253}$/, 'must be a host name or address'),
          port: z.int().min(1).max(65_535).default(587),
          tls: z.enum(['starttls', 'implicit', 'none']).default('starttls').describe('`none` is said by name, and holds on loopback alone'),
          ca: z.string().min(1).optional().describe('PEM file of who vouches for its certificate, in place of the public authorities'),
          user: z.string().min(1).max(256).optional(),
          password: secretRef.optional(),
          from: z.email(),
          to: z
            .record(z.string().regex(name, 'must be a team or a person, such as team:privacy'), z.array(z.email()).min(1).max(50))
            .refine((to) => Object.keys(to).length > 0, 'names nobody')
            .describe('Who reads where: team or person → addresses. team:operators is told of halts'),
          events: events('pending', 'halt'),
          timeoutMs,
        }),
      ]),
    )
    .default([])
    .describe('Who is told of what waits for people: with a link, never with a way to decide');

export const approvalsSchema = z.strictObject({
  perApprover: z
    .strictObject({
      max: z.int().min(1).max(100_000),
      windowSeconds: z
        .int()
        .min(1)
        .max(7 * 24 * 3600),
    })
    .optional()
    .describe('So often one person may agree within a sliding window, at all brokers of the store; a no is never refused'),
});

function isReceiver(text: string): boolean {
  const url = URL.parse(text);
  if (url?.username !== '' || url.password !== '' || url.hash !== '') return false;
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname));
}
const isLoopback = (host: string): boolean => /^(localhost|\[?::1\]?|127(\.\d{1,3}){3})$/.test(host);

type Notify = readonly (
  | { readonly use: 'webhook'; readonly id?: string | undefined; readonly url: string; readonly inward?: 'allowed' | undefined }
  | {
      readonly use: 'mail';
      readonly id?: string | undefined;
      readonly host: string;
      readonly tls: string;
      readonly user?: string | undefined;
      readonly password?: unknown;
    }
)[];
/** What no single setting shows: as `path: what`. */
export function notifyProblems(all: Notify): readonly string[] {
  const ids = all.map(({ id, use }) => id ?? use);
  return all.flatMap((one, index) => [
    ...(ids.indexOf(ids[index] ?? '') === index ? [] : [`notify.${index}.id: stands twice`]),
    ...(one.use === 'webhook' && one.inward === undefined && isLoopback(URL.parse(one.url)?.hostname ?? '')
      ? [`notify.${index}.inward: must be allowed by name where the receiver is on this machine`]
      : []),
    ...(one.use === 'mail' && one.tls === 'none' && !isLoopback(one.host)
      ? [`notify.${index}.tls: must not be none where the server is not on loopback`]
      : []),
    ...(one.use === 'mail' && (one.user === undefined) !== (one.password === undefined)
      ? [`notify.${index}.password: stands with a user alone`]
      : []),
  ]);
}
