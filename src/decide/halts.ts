import { type Agent, type Asked, type Claim, nameOf } from '../model.ts';

interface Scope {
  readonly agents: readonly Pick<Agent, 'id'>[];
  readonly subject: string;
  readonly server: string;
}
/** What can be halted, by key: everything, an agent, whoever is acted for, a server. */
export const haltKeys = (scope: Scope): readonly string[] => [
  'halt/all',
  ...new Set(scope.agents.map((agent) => `halt/agent/${agent.id}`)),
  `halt/subject/${scope.subject}`,
  `halt/server/${scope.server}`,
];

/** A halt that lands after the decision still stops the grant: the commit itself checks it. */
export const haltClaims = ({ caller, actors, subject, server }: Asked): readonly Claim[] =>
  unhalted({ agents: [caller.client, ...actors], subject: nameOf(subject), server: server.id });
export const unhalted = (scope: Scope): readonly Claim[] => haltKeys(scope).map((key) => ({ key, version: 0, else: 'suspended' }));
