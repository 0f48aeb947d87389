/** Questions and answers as the operator API takes and gives them. */
import type { Halt } from './agent-types.ts';
import type { JsonValue } from './kit.ts';
import type { Rule } from './rule.ts';

export type Values = Readonly<Record<string, JsonValue>>;
export interface Question {
  readonly agent: string;
  readonly via?: readonly string[];
  readonly for?: { readonly sub: string; readonly kind: 'person' | 'service'; readonly attributes: Values };
  readonly server: string;
  readonly tool: string;
  readonly arguments: Values;
}
export interface Field {
  readonly type?: unknown;
  readonly title?: string;
  readonly description?: string;
  readonly enum?: readonly JsonValue[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly default?: JsonValue;
}
export interface Tool {
  readonly name: string;
  readonly description: string;
  readonly schema: { readonly properties?: Readonly<Record<string, Field>>; readonly required?: readonly string[] };
  readonly hidden: boolean;
}
export interface Stage {
  readonly agents: readonly { readonly id: string; readonly name: string; readonly owner: string }[];
  readonly servers: readonly { readonly id: string; readonly name: string; readonly tools: readonly Tool[] }[];
  readonly issuers: readonly string[];
  readonly attributes: readonly { readonly name: string; readonly list: boolean; readonly values: readonly JsonValue[] }[];
}
export interface Flip {
  readonly change: 'argument' | 'attribute' | 'chain' | 'tool' | 'agent';
  readonly path: readonly string[];
  readonly from: JsonValue;
  readonly to: JsonValue;
  readonly fate: 'allowed' | 'approval' | 'refused';
  readonly question: Question;
}
export interface Played {
  readonly decision: 'allow' | 'approval' | 'deny';
  readonly reason?: string;
  readonly code?: string;
  readonly text?: string;
  readonly remedy?: { readonly text: string };
  readonly ttl_seconds?: number;
  readonly approval?: { readonly words: string };
  readonly halts: readonly Halt[];
  readonly verdicts: readonly {
    readonly as: 'subject' | 'actor';
    readonly who: string;
    readonly allow: boolean;
    readonly code?: string;
    readonly policies: readonly string[];
  }[];
  readonly policies: readonly Rule[];
  readonly silent: readonly Rule[];
  readonly budgets: readonly {
    readonly id: string;
    readonly title: string;
    readonly limit: number;
    readonly left: number;
    readonly amount: number;
  }[];
  readonly flips: { readonly tried: number; readonly complete: boolean; readonly found: readonly Flip[] };
}
