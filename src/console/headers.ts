/** What every answer of the console and of the operator API at its side says of itself. */
import type { FastifyReply } from 'fastify';

/**
 * Nothing inline, nothing from elsewhere, framed by nobody; no page learns where a link was followed from. `form-action`: a login may lead to the
 * issuer, and nowhere else.
 */
export const policyOf = (issuerOrigin: string | undefined): string =>
  [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    `form-action 'self'${issuerOrigin === undefined ? '' : ` ${issuerOrigin}`}`,
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ].join('; ');
const HEADERS = {
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy':
    'camera=(), geolocation=(), microphone=(), payment=(), usb=(), publickey-credentials-create=(self), publickey-credentials-get=(self)',
} as const;

export function harden(reply: FastifyReply, policy: string): void {
  reply.headers({ ...HEADERS, 'content-security-policy': policy, 'cache-control': 'no-store' });
}
