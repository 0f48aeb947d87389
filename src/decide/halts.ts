import { type Agent, type Asked, type Claim, nameOf } from '../model.ts';

/** What can be halted, and under which key: everything, an agent, all agents of an owner, whoever is acted for, a server, one of its tools. */
export const HALTS = ['all', 'agent', 'owner', 'subject', 'server', 'tool'] as const;
/** Under which every halt is found again. */
export const HALT_TERM = 'halt';
export type HaltScope = (typeof HALTS)[number];
/** `target`: a name; of a tool `<server>/<tool>`; of `all` nothing. */
export const haltKey = (scope: HaltScope, target: string): string => (scope === 'all' ? 'halt/all' : `halt/${scope}/${target}`);

interface Scope {
  readonly agents: readonly Pick<Agent, 'id' | 'owner'>[];
  readonly subject: string;
  readonly server: string;
  readonly tool?: string | undefined;
}
export const haltKeys = ({ agents, subject, server, tool }: Scope): readonly string[] => [
  haltKey('all', ''),
  ...new Set(agents.flatMap(({ id, owner }) => [haltKey('agent', id), haltKey('owner', owner)])),
  haltKey('subject', subject),
  haltKey('server', server),
  ...(tool === undefined ? [] : [haltKey('tool', `${server}/${tool}`)]),
];

/** A halt that lands after the decision still stops the grant: the commit itself checks it. */
export const haltClaims = ({ caller, actors, subject, server, action }: Asked): readonly Claim[] =>
  unhalted({
    agents: [caller.client, ...actors],
    subject: nameOf(subject),
    server: server.id,
    tool: action.kind === 'call' ? action.tool.name : undefined,
  });
export const unhalted = (scope: Scope): readonly Claim[] => haltKeys(scope).map((key) => ({ key, version: 0, else: 'suspended' }));
