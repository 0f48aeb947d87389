import { type Agent, type Asked, type Claim, nameOf } from '../model.ts';

/** What can be halted, by key: everything, an agent, whoever is acted for, a server. */
export const haltKeys = (scope: {
  readonly agents: readonly Pick<Agent, 'id'>[];
  readonly subject: string;
  readonly server: string;
}): readonly string[] => [
  'halt/all',
  ...new Set(scope.agents.map((agent) => `halt/agent/${agent.id}`)),
  `halt/subject/${scope.subject}`,
  `halt/server/${scope.server}`,
];

/** A halt that lands after the decision still stops the grant: the commit itself checks it. */
export function haltClaims(asked: Asked): readonly Claim[] {
  const keys = haltKeys({ agents: [asked.caller.client, ...asked.actors], subject: nameOf(asked.subject), server: asked.server.id });
  return keys.map((key) => ({ key, version: 0, else: 'suspended' }));
}
