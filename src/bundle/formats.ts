/** What the bundle's files say, once read, and who reads them: YAML and JSON Schema are languages of back ends. */
import type { Budget, Tool } from '../model.ts';
import type { JsonObject } from '../wire/json.ts';
import type { Result } from '../wire/result.ts';
import type { Problem } from './bundle.ts';

export type Path = readonly (string | number)[];
/** A file's content, of the right shape, and where in it things stand. */
export interface Read<T> {
  readonly value: T;
  lineOf(path: Path): number | undefined;
}
export type IdentityEntry = { readonly jwks: JsonObject } | { readonly issuer: string; readonly subject: string };
export interface AgentsFile {
  readonly people: readonly { readonly id: string; readonly name: string }[];
  readonly agents: readonly {
    readonly id: string;
    readonly name: string;
    readonly owner: string;
    readonly sponsor?: string | undefined;
    readonly purpose: string;
    readonly review: string;
    readonly suspended: boolean;
    readonly identity: IdentityEntry;
    readonly limits: { readonly maxTtlSeconds?: number | undefined };
  }[];
}
/** What every kind has; the rest is its reader's. */
export interface CredentialEntry {
  readonly deliver: 'tool-server' | 'agent';
  readonly cap: number;
  readonly ttlSeconds?: number | undefined;
  readonly settings: JsonObject;
}
export interface BudgetsFile {
  readonly budgets: readonly {
    readonly id: string;
    readonly title: string;
    readonly on: { readonly server: string; readonly tool?: string | undefined };
    readonly per: Budget['per'];
    readonly sum?: string | undefined;
    readonly where: Budget['where'];
    readonly limit: number;
    readonly windowSeconds: number;
  }[];
}
export interface ServerFile {
  readonly id: string;
  readonly name: string;
  readonly resource: string;
  readonly identity?: IdentityEntry | undefined;
  readonly tools: Readonly<
    Record<
      string,
      {
        readonly description: string;
        readonly input: JsonObject;
        readonly recordable: readonly string[];
        readonly arguments: 'visible' | 'hidden';
        readonly credentials: Readonly<Record<string, CredentialEntry>>;
      }
    >
  >;
}
/** What a JSON Schema becomes; `notes` warn, without which nothing would say that a keyword is not obeyed. */
export interface ArgumentRules extends Pick<Tool, 'check' | 'fill'> {
  readonly notes: readonly string[];
}
export interface Formats {
  agents(file: string, text: string): Result<Read<AgentsFile>, readonly Problem[]>;
  server(file: string, text: string): Result<Read<ServerFile>, readonly Problem[]>;
  budgets(file: string, text: string): Result<Read<BudgetsFile>, readonly Problem[]>;
  /** Errors: what is wrong with the schema, in words. */
  schema(schema: JsonObject): Result<ArgumentRules, readonly string[]>;
}
export const problemAt = (file: string, line: number | undefined, text: string, hint?: string): Problem => ({
  file,
  ...(line !== undefined && { line }),
  text,
  ...(hint !== undefined && { hint }),
});
