/** What is in force: agents, servers, compiled policy; one immutable value, taken once per exchange. Knows files and shapes; may not know tokens or requests. */
import type { Agent, Budget, Bundle, Policy, Registration, Tool, ToolServer } from '../model.ts';
import type { JsonObject } from '../wire/json.ts';
import type { CredentialKind } from '../wire/oauth.ts';
import type { Result } from '../wire/result.ts';

/** The bundle in force. `reload` swaps whole or not at all; an exchange takes `current` once. */
export interface Bundles {
  /** Throws Unavailable('policy') before the first good load. */
  current(): Bundle;
  /** On any problem the old bundle stays and the report says why. */
  reload(): Promise<Report>;
  /** The last report: not ok means degraded (/readyz). */
  report(): Report;
  close(): void;
}
export interface Report {
  readonly ok: boolean;
  readonly hash: string;
  readonly changed: boolean;
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
}
export interface Problem {
  readonly file: string;
  /** From 1; absent where the whole file is meant. */
  readonly line?: number;
  readonly text: string;
  readonly hint?: string;
}
/** Texts of a bundle by path relative to its folder, `/`-separated. */
export type Files = ReadonlyMap<string, string>;
/** What a policy engine compiles: cedarschema, policies, and the tools that become actions. */
export interface Sources {
  readonly schema: { readonly file: string; readonly text: string };
  readonly policies: readonly { readonly file: string; readonly text: string }[];
  readonly agents: readonly Pick<Agent, 'id'>[];
  readonly servers: readonly ToolServer[];
  readonly budgets: readonly Budget[];
}
/** Warnings are for people: an argument that no rule can see, a rule that can never allow. */
export interface Compiled {
  readonly policy: Policy;
  readonly warnings: readonly Problem[];
}
export type Engine = (sources: Sources) => Promise<Result<Compiled, readonly Problem[]>>;

/**
 * Reads what a tool registers for one kind of credential, but for what every kind has. Whatever a request could widen is refused here, so
 * that it never comes into force. Errors: what is wrong, in words.
 */
export type ReadRegistration = (
  settings: JsonObject,
  of: { readonly server: string; readonly tool: Pick<Tool, 'name' | 'schema' | 'hidden'> },
) => Result<Pick<Registration, 'where' | 'settings' | 'standing'>, readonly string[]>;
/** What back ends add to the bundle's language. */
export interface Credentials {
  readonly readers: ReadonlyMap<CredentialKind, ReadRegistration>;
  /** Audiences of our own logins to back ends: no tool server may have one as its resource (wire.md §6). */
  readonly reserved: ReadonlySet<string>;
}

/** `file:line: text (hint)`, as compilers print it. */
export const formatProblem = ({ file, line, text, hint }: Problem): string =>
  `${file}${line === undefined ? '' : `:${line}`}: ${text}${hint === undefined ? '' : ` (${hint})`}`;
