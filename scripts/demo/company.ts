/** Who works at the company: agents that ask for people and for themselves, through the broker's own door, and people who decide. */
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { type Agent, AgentError, createAgent } from '../../src/agent/agent.ts';
import { operatorClient } from '../operator-client.ts';
import type { DemoPersonName, IdentityProvider } from './identity-provider.ts';
import type { DemoKey } from './keys.ts';

interface CompanyParts {
  readonly issuer: string;
  readonly socket: string;
  readonly people: IdentityProvider;
  readonly keys: Readonly<Record<string, DemoKey>>;
  /** By server id. */
  readonly resources: Readonly<Record<string, string>>;
}
/** What became of one call. */
export type Fate = 'ran' | 'refused' | 'waits';
export interface Call {
  readonly agent: string;
  readonly for?: DemoPersonName;
  readonly server: string;
  readonly tool: string;
  readonly args?: object;
  readonly why?: string;
}
export interface Company {
  /** One call, as an MCP client makes it. What people must agree to is left waiting. */
  call(call: Call): Promise<Fate>;
  /** The same by a sub-agent that this one delegates to. */
  delegate(call: Call, sub: string): Promise<Fate>;
  /** Waits for people, then runs. */
  insist(call: Call): Promise<Fate>;
  /** Several actions that people decide on at once; left waiting. */
  plan(agent: string, person: DemoPersonName, actions: readonly Omit<Call, 'agent' | 'for'>[]): Promise<void>;
  /** On what waits of this tool, or will soon; throws when it is not taken. */
  vote(tool: string, as: string, vote: 'approve' | 'deny', reason: string): Promise<void>;
  halt(agent: string, reason: string): Promise<void>;
  close(): Promise<void>;
}
/** The provider's tokens live ten minutes. */
const FRESH_MS = 240_000;

export function openCompany({ issuer, socket, people, keys, resources }: CompanyParts): Company {
  const operate = operatorClient({ socket });
  const agents = new Map<string, Agent>();
  const clients = new Map<string, { readonly client: Client; why: string }>();
  const stopped = new AbortController();

  function agentOf(id: string, person?: DemoPersonName): Agent {
    const name = `${id} ${person ?? ''}`;
    const known = agents.get(name);
    if (known) return known;
    const key = keys[id];
    if (!key) throw new Error(`there is no agent ${id}`);
    let signed: { readonly at: number; readonly token: Promise<{ readonly idToken: string }> } | undefined;
    const subject = async () => {
      if (!signed || Date.now() - signed.at > FRESH_MS) signed = { at: Date.now(), token: people.signIn(person ?? 'bob', `${id}-app`) };
      return { token: (await signed.token).idToken, type: 'id_token' as const };
    };
    const made = createAgent({ issuer, clientId: id, key: key.privateJwk, ...(person && { subject }) });
    agents.set(name, made);
    return made;
  }
  async function clientOf(call: Call): Promise<Client> {
    const name = `${call.agent} ${call.for ?? ''} ${call.server}`;
    const known = clients.get(name);
    if (known) {
      known.why = call.why ?? '';
      return known.client;
    }
    const made = { client: new Client({ name: call.agent, version: '1.0.0' }), why: call.why ?? '' };
    const fetch = agentOf(call.agent, call.for).fetchWith({ purpose: () => made.why || undefined, approval: 'link' });
    await made.client.connect(new StreamableHTTPClientTransport(new URL(resources[call.server] ?? ''), { fetch }));
    clients.set(name, made);
    return made.client;
  }
  const actionOf = ({ server, tool, args = {}, why }: Omit<Call, 'agent' | 'for'>) => {
    return { resource: resources[server] ?? '', tool, arguments: args, ...(why !== undefined && { purpose: why }) };
  };
  async function fateOf(work: () => Promise<unknown>): Promise<Fate> {
    try {
      await work();
      return 'ran';
    } catch (fault) {
      const no =
        fault instanceof AgentError ? fault : fault instanceof Error && fault.cause instanceof AgentError ? fault.cause : undefined;
      if (no) return no.code === 'ERR_APPROVAL_PENDING' ? 'waits' : 'refused';
      // A client of MCP shows what waits as a page that is to be opened.
      if (fault instanceof Error && 'code' in fault && fault.code === -32_042) return 'waits';
      throw fault;
    }
  }
  return {
    call: (call) => fateOf(async () => (await clientOf(call)).callTool({ name: call.tool, arguments: { ...call.args } })),
    delegate: (call, sub) =>
      fateOf(async () => {
        const key = keys[sub];
        if (!key) throw new Error(`there is no agent ${sub}`);
        const made = createAgent({ issuer, clientId: sub, key: key.privateJwk, under: agentOf(call.agent, call.for) });
        await made.authorize(actionOf(call));
      }),
    insist: (call) =>
      fateOf(() => agentOf(call.agent, call.for).authorize({ ...actionOf(call), approval: 'wait', signal: stopped.signal })),
    async plan(agent, person, actions) {
      // Asked, and left to whoever looks.
      const asked = new AbortController();
      const options = { signal: asked.signal, whenAborted: 'keep' as const, onWaiting: () => asked.abort() };
      await agentOf(agent, person)
        .plan(actions.map(actionOf), options)
        .catch((fault: unknown) => {
          if (!asked.signal.aborted) throw fault;
        });
    },
    async vote(tool, as, vote, reason) {
      for (let tries = 0; tries < 40; tries++) {
        const { body } = await operate('GET', '/operator/approvals?state=pending');
        const { approvals = [] } = body as { readonly approvals?: readonly { readonly id: string; readonly tool: string }[] };
        const found = approvals.find((one) => one.tool === tool);
        if (found) {
          const { status } = await operate('POST', `/operator/approvals/${found.id}`, { vote, as, reason });
          if (status !== 200) throw new Error(`a vote on ${tool} was answered with ${status}`);
          return;
        }
        await new Promise((done) => setTimeout(done, 100));
      }
      throw new Error(`nothing of ${tool} waits for a vote`);
    },
    async halt(agent, reason) {
      await operate('POST', '/operator/revocations', { scope: 'agent', target: agent, reason });
    },
    async close() {
      stopped.abort();
      for (const { client } of clients.values()) await client.close().catch(() => undefined);
    },
  };
}
