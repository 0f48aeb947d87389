/** What tests of the console do without a browser: log in as somebody, and send what a page would, or would not. */
import assert from 'node:assert/strict';
import type { Role } from '../../src/operate/operator.ts';
import { documented } from '../support/documented.ts';
import { type Answer, answerOf, type Rig } from '../support/rig.ts';

export interface Visit {
  /** `name=value`, as the browser keeps it. */
  readonly cookie: string;
  readonly pledge: string;
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<Answer>;
  /** As our own page does, but for the headers that are given; an empty one is left out. */
  post(path: string, body?: object, headers?: Readonly<Record<string, string>>): Promise<Answer>;
}
export interface Visitor {
  readonly sub?: string;
  readonly roles?: readonly Exclude<Role, 'self'>[];
  readonly teams?: readonly string[];
}
const fetched = async (url: string, init: RequestInit = {}): Promise<Answer> => answerOf(await fetch(url, { redirect: 'manual', ...init }));
export const cookieOf = (answer: Answer, which: 'session' | 'login'): string | undefined =>
  answer.headers
    .getSetCookie()
    .find((line) => line.includes(`countersign-${which}=`))
    ?.split(';')[0];
/** The button, and the issuer's way back: what the browser would ask next, and the cookie it would bring. */
export async function begun(rig: Rig, path = '/console/login'): Promise<{ readonly back: string; readonly cookie: string }> {
  const started = await fetched(`${rig.issuer}${path}`);
  assert.equal(started.status, 303, started.text);
  const there = await fetched(started.headers.get('location') ?? '');
  return { back: there.headers.get('location') ?? '', cookie: cookieOf(started, 'login') ?? '' };
}
export const comeBack = (back: string, cookie: string): Promise<Answer> => fetched(back, { headers: { cookie } });
function told(method: string, path: string, answer: Answer): Answer {
  documented(method, path, answer.status, answer.body);
  return answer;
}
/** A whole login. */
export async function logIn(rig: Rig, { sub = 'u_alice', roles = ['viewer'], teams = [] }: Visitor = {}, planted = ''): Promise<Visit> {
  rig.idp.person = { sub, name: 'Somebody', groups: [...roles.map((role) => `console-${role}`), ...teams] };
  const { back, cookie } = await begun(rig);
  const answer = await comeBack(back, [cookie, planted].filter(Boolean).join('; '));
  assert.equal(answer.status, 303, answer.text);
  return visit(rig, cookieOf(answer, 'session') ?? '');
}
export async function visit(rig: Rig, cookie: string): Promise<Visit> {
  const page = await fetched(`${rig.issuer}/console/me`, { headers: { cookie } });
  const pledge = /data-pledge="([^"]*)"/.exec(page.text)?.[1] ?? '';
  return {
    cookie,
    pledge,
    async get(path, headers = {}) {
      return told('GET', path, await fetched(`${rig.issuer}${path}`, { headers: { cookie, ...headers } }));
    },
    async post(path, body = {}, headers = {}) {
      const usual = {
        cookie,
        origin: rig.issuer,
        'sec-fetch-site': 'same-origin',
        'content-type': 'application/json',
        'x-countersign-pledge': pledge,
      };
      const sent = Object.fromEntries(Object.entries({ ...usual, ...headers }).filter(([, value]) => value !== ''));
      return told('POST', path, await fetched(`${rig.issuer}${path}`, { method: 'POST', headers: sent, body: JSON.stringify(body) }));
    },
  };
}
