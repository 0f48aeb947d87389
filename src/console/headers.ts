/** What every answer of the console and of the operator API at its side says of itself. */
import type { FastifyReply } from 'fastify';

/** Nothing inline, nothing from elsewhere, no form that leads elsewhere, framed by nobody. To the issuer and back leads a link. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
].join('; ');
/** No page elsewhere learns where a link was followed from. */
const HEADERS = {
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy':
    'camera=(), geolocation=(), microphone=(), payment=(), usb=(), publickey-credentials-create=(self), publickey-credentials-get=(self)',
} as const;

export function harden(reply: FastifyReply): void {
  reply.headers({ ...HEADERS, 'content-security-policy': POLICY, 'cache-control': 'no-store' });
}
