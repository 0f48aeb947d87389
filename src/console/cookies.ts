/** The two cookies: who has logged in, and who is about to. */
import type {} from '@fastify/cookie';
import type { FastifyReply, FastifyRequest } from 'fastify';

export interface Cookies {
  read(request: FastifyRequest, which: CookieName): string | undefined;
  write(reply: FastifyReply, which: CookieName, value: string, seconds: number): void;
  clear(reply: FastifyReply, which: CookieName): void;
}
export type CookieName = 'session' | 'login';

/**
 * RFC 6265bis §4.1.3.2: under `__Host-` no other host and no plain connection can set one. Without TLS, which is loopback alone, browsers differ
 * in whether they take it, so there they have plain names. Lax: a link in a mail, and the way back from the issuer, are navigations from elsewhere.
 */
export function cookies({ secure }: { readonly secure: boolean }): Cookies {
  const nameOf = (which: CookieName): string => `${secure ? '__Host-' : ''}countersign-${which}`;
  const set = (reply: FastifyReply, which: CookieName, value: string, maxAge: number): void => {
    reply.setCookie(nameOf(which), value, { path: '/', httpOnly: true, sameSite: 'lax', secure, maxAge });
  };
  return {
    read: (request, which) => request.cookies[nameOf(which)],
    write: set,
    clear: (reply, which) => set(reply, which, '', 0),
  };
}
