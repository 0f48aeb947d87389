/** What people look at: pages, login and who has logged in. Knows browsers and who may ask; may not know what is decided, nor what a page shows. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type Refusal, type Result, refuse } from '../errors.ts';
import { addressOf } from '../http/limits.ts';
import type { Who } from '../http/operator-guard.ts';
import type { Operator } from '../operate/operator.ts';
import type { Recorder } from '../record/record.ts';
import { ok } from '../wire/result.ts';
import type { Assets } from './assets.ts';
import { firstPage, maySee, PAGES } from './browser/list.ts';
import type { Cookies } from './cookies.ts';
import { forgery, isSafe } from './forgery.ts';
import { harden } from './headers.ts';
import { LOGIN_SECONDS, type Login } from './login.ts';
import type { Names } from './names.ts';
import type { Session, Sessions, Visitor } from './session.ts';
import { createShell } from './shell.ts';
import type { Tickets } from './tickets.ts';
import { NOT_LOGGED_IN, noticeOf, wrongRole } from './words.ts';

export interface ConsoleParts {
  /** Our address, without a slash at its end. */
  readonly issuer: string;
  readonly sessions: Sessions;
  readonly tickets: Tickets;
  readonly names: Pick<Names, 'learn'>;
  readonly cookies: Cookies;
  readonly record: Recorder;
  readonly assets: Assets;
  /** Absent: one-time links alone. */
  readonly login?: Login;
}

export interface Console {
  /** Who asks at the operator API with a session's cookie, and from a page of ours. */
  readonly who: Who;
  /** Not theirs to ask: recorded where it would have changed something. */
  readonly refused: (request: FastifyRequest, operator: Operator, refusal: Refusal) => Promise<void>;
  /** For the console's own answers and those of the operator API beside it. */
  readonly harden: (reply: FastifyReply) => void;
  /** GET /console and below it; POST /console/logout, which may answer where the issuer's own session ends. */
  readonly pages: (server: FastifyInstance) => void;
}
/** A page that asks by itself says so: nobody is there because of it. */
const UNATTENDED = 'x-countersign-unattended';
/** Pages, and what may stand behind a page's name: never another host's address. */
const BACK = /^\/console(\/[A-Za-z0-9_-]{1,64}){0,3}(\?[A-Za-z0-9_.~%&=+:-]{0,1500})?$/;

export function createConsole(parts: ConsoleParts): Console {
  const { issuer, sessions, tickets, names, cookies, record, assets, login } = parts;
  const { origin, host, pathname } = new URL(issuer);
  const base = pathname === '/' ? '' : pathname;
  const shell = createShell({ assets, base, host });

  /** Those that were asked about before: a stream, which is looked at again as long as it lasts. */
  const known = new WeakSet<FastifyRequest>();
  const sessionOf = (request: FastifyRequest): Promise<Session | undefined> => {
    const attended = !known.has(request) && request.headers[UNATTENDED] === undefined && request.headers.accept !== 'text/event-stream';
    known.add(request);
    return sessions.find(cookies.read(request, 'session'), { attended });
  };
  const refused = async (request: FastifyRequest, name: string | undefined, no: Refusal): Promise<Refusal> => {
    const draft = record.open('console', () => addressOf(request));
    if (name !== undefined) draft.note({ by: name });
    return record.refuse(draft, no);
  };
  async function asking(request: FastifyRequest): Promise<Result<Session>> {
    const session = await sessionOf(request);
    if (!session) return refuse('login_needed');
    const flaw = forgery(request, session, { sessions, origin });
    if (!flaw) return ok(session);
    const no = refuse('forgery_suspected', { detail: flaw }).error;
    return { ok: false, error: await refused(request, session.name, no) };
  }

  const html = (reply: FastifyReply, status: number, text: string): FastifyReply =>
    reply.code(status).type('text/html; charset=utf-8').send(text);
  const here = (path: string): string => `${base}${path}`;
  const loginAt = (back: string): string => here(`/console/login${back === '/console' ? '' : `?back=${encodeURIComponent(back)}`}`);

  async function welcome(
    reply: FastifyReply,
    visitor: Visitor,
    back: string,
    begun: () => ReturnType<Sessions['begin']>,
  ): Promise<FastifyReply> {
    const made = await begun();
    if (!made.ok) return turnedAway(reply, made.error);
    cookies.write(reply, 'session', made.value.secret, Math.max(1, made.value.ends - made.value.since));
    return reply.redirect(here(back === '/console' ? `/console/${firstPage(visitor.roles)}` : back), 303);
  }
  function turnedAway(reply: FastifyReply, no: Refusal): FastifyReply {
    const notice = noticeOf(no);
    return html(
      reply,
      notice.status,
      shell.plain({ ...notice, ...(login && { action: { label: 'Log in again', href: here('/console/login') } }) }),
    );
  }

  async function begin(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const { ticket, back = '/console' } = request.query as Readonly<Record<string, unknown>>;
    if (ticket !== undefined) {
      const found = await tickets.use(ticket);
      if (!found.ok) return turnedAway(reply, await refused(request, undefined, found.error));
      const { visitor, claim } = found.value;
      const draft = record.open('console', () => addressOf(request));
      draft.note({ detail: 'ticket' });
      return welcome(reply, visitor, '/console', async () => {
        const made = await sessions.begin(visitor, draft, [claim]);
        return made.ok ? made : { ok: false, error: await refused(request, visitor.name, made.error) };
      });
    }
    if (!login) return turnedAway(reply, refuse('login_needed').error);
    const started = await login.begin(typeof back === 'string' && BACK.test(back) ? back : '/console');
    if (!started.ok) return turnedAway(reply, await refused(request, undefined, started.error));
    cookies.write(reply, 'login', started.value.sealed, LOGIN_SECONDS);
    return reply.redirect(started.value.url.href, 303);
  }
  async function finish(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const sealed = cookies.read(request, 'login');
    cookies.clear(reply, 'login');
    const came = login
      ? await login.finish(request.url.split('?')[1] ?? '', sealed)
      : refuse('login_refused', { detail: 'not_begun_here' });
    if (!came.ok) return turnedAway(reply, await refused(request, undefined, came.error));
    const { visitor, back } = came.value;
    const old = await sessionOf(request);
    if (old) await sessions.end(old, 'this');
    const draft = record.open('console', () => addressOf(request));
    return welcome(reply, visitor, back, async () => {
      const made = await sessions.begin(visitor, draft);
      if (made.ok) await names.learn(visitor);
      return made;
    });
  }
  async function show(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const path = request.url.split('?')[0] ?? '';
    const name = path.split('/')[2] ?? '';
    const session = await sessionOf(request);
    if (!session) {
      const back = BACK.test(request.url) ? request.url : '/console';
      return html(
        reply,
        200,
        shell.plain({ ...NOT_LOGGED_IN(login !== undefined), ...(login && { action: { label: 'Log in', href: loginAt(back) } }) }),
      );
    }
    if (name === '') return reply.redirect(here(`/console/${firstPage(session.roles)}`), 303);
    const page = PAGES.find((one) => one.name === name);
    if (page && !maySee(page, session.roles)) return html(reply, 403, shell.plain(wrongRole(page, session, here('/console'))));
    return html(reply, page ? 200 : 404, shell.page(name, session, sessions.pledge(session)));
  }

  return {
    who: async (request) => {
      const found = await asking(request);
      return found.ok ? ok(operatorOf(found.value)) : found;
    },
    refused: async (request, operator, no) => void (isSafe(request) || (await refused(request, operator.name, no))),
    harden,
    pages(server) {
      server.get('/console', show);
      server.get('/console/*', show);
      server.get('/console/login', begin);
      server.get('/console/callback', finish);
      server.post('/console/logout', async (request, reply) => {
        const found = await asking(request);
        if (!found.ok) return reply.code(found.error.reason === 'login_needed' ? 401 : 403).send({ error: found.error.reason });
        await sessions.end(found.value, (request.query as Readonly<Record<string, unknown>>)['which'] === 'all' ? 'all' : 'this');
        cookies.clear(reply, 'session');
        const there = await login?.leave(found.value.name);
        return there ? { location: there.href } : reply.code(204).send();
      });
      server.get<{ Params: { '*': string } }>('/console/assets/*', async (request, reply) => {
        const found = assets.get(request.params['*']);
        if (!found) return reply.callNotFound();
        reply.header('cache-control', 'no-cache').header('etag', found.etag);
        if (request.headers['if-none-match'] === found.etag) return reply.code(304).send();
        return reply.type(found.type).send(found.body);
      });
    },
  };
}
const operatorOf = ({ name, roles, teams }: Session): Operator => {
  const own = new Set(teams);
  return { name, via: 'console', roles: new Set(roles), isOf: (team) => own.has(team) };
};
