/** What a guard tells an MCP server about its caller, in the shape both SDKs hand to tools (`ctx.http.authInfo`, `extra.authInfo`). */
import type { Action } from './action.ts';
import type { Passed } from './message.ts';
import type { Verifier } from './verify.ts';

export interface GuardedAuth {
  /** Empty: the token stays with the guard, since passing it on is what no other server accepts. `currentAction()` has it for redemption. */
  token: string;
  clientId: string;
  scopes: string[];
  expiresAt: number;
  resource: URL;
  resourceMetadataUrl: string;
  extra: { action?: Action; subject: string };
}

export function authInfo(passed: Passed, verifier: Verifier): GuardedAuth | undefined {
  const who = passed.kind === 'call' ? passed.action : passed.admitted;
  if (!who) return undefined;
  return {
    token: '',
    clientId: who.clientId,
    scopes: 'scopes' in who ? [...who.scopes] : who.scope.split(' '),
    expiresAt: who.exp,
    resource: new URL(verifier.resource),
    resourceMetadataUrl: verifier.metadata.url,
    extra: { subject: who.subject, ...(passed.kind === 'call' && { action: passed.action }) },
  };
}
