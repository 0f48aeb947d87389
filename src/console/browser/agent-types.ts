/** Agents as the operator API tells of them. */
import type { Rule } from './rule.ts';

export interface Halt {
  readonly scope: string;
  readonly target: string;
  readonly by: string;
  readonly at: number;
  readonly reason: string;
}
export interface Agent {
  readonly id: string;
  readonly name: string;
  readonly owner: string;
  readonly owned: boolean;
  readonly sponsor?: string;
  readonly purpose: string;
  readonly review: string;
  readonly overdue: boolean;
  readonly suspended: boolean;
  readonly halts: readonly Halt[];
  readonly identity: 'key' | 'federated';
  readonly issuer?: string;
  readonly subject?: string;
  readonly max_ttl_seconds?: number;
  readonly last_use?: number;
  readonly rights: number;
  readonly unused: number;
}
interface Known {
  readonly now: number;
  readonly unused_days: number;
  readonly uses_since?: number;
}
export interface AgentList extends Known {
  readonly agents: readonly Agent[];
  /** Where the next part begins. */
  readonly next?: string;
}
export interface Right {
  readonly as: 'actor' | 'subject';
  readonly server: string;
  readonly server_name: string;
  readonly tool: string;
  readonly description: string;
  readonly words: readonly string[];
  readonly permits: readonly Rule[];
  readonly people: readonly Rule[];
  readonly never: readonly Rule[];
  readonly dead: boolean;
  readonly used: boolean;
  readonly uses?: number;
  readonly last_use?: number;
}
export interface Budget {
  readonly id: string;
  readonly title: string;
  readonly server: string;
  readonly tool?: string;
  readonly sum?: string;
  readonly per: readonly string[];
  readonly limit: number;
  readonly window: string;
  readonly left?: number;
}
export interface AgentDetail extends Known {
  readonly agent: Agent;
  readonly mandate: readonly Right[];
  readonly budgets: readonly Budget[];
}
