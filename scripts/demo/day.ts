/** What happens at the company: agents ask for people and for themselves, through the broker's own door, and people decide some of it. */
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { type Agent, AgentError, createAgent } from '../../src/agent/agent.ts';
import { isObject } from '../../src/wire/json.ts';
import { operatorClient } from '../operator-client.ts';
import type { DemoPersonName, IdentityProvider } from './identity-provider.ts';
import type { DemoKey } from './keys.ts';

export interface DayParts {
  readonly issuer: string;
  readonly socket: string;
  readonly people: IdentityProvider;
  readonly keys: Readonly<Record<string, DemoKey>>;
  /** By server id. */
  readonly resources: Readonly<Record<string, string>>;
}
/** What became of one call. */
export type Fate = 'ran' | 'refused' | 'waits';
interface Call {
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
  vote(tool: string, as: string, vote: 'approve' | 'deny', reason: string): Promise<boolean>;
  halt(agent: string, reason: string): Promise<void>;
  close(): Promise<void>;
}
/** The provider's tokens live ten minutes. */
const FRESH_MS = 240_000;

export function openCompany({ issuer, socket, people, keys, resources }: DayParts): Company {
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
        const all = isObject(body as object)
          ? ((body as { readonly approvals?: readonly { readonly id: string; readonly tool: string }[] }).approvals ?? [])
          : [];
        const found = all.find((one) => one.tool === tool);
        if (found) return (await operate('POST', `/operator/approvals/${found.id}`, { vote, as, reason })).status === 200;
        await new Promise((done) => setTimeout(done, 100));
      }
      return false;
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

const pick = <T>(all: readonly T[], at: number): T => all[at % all.length] as T;
/** A busy few minutes, in some seconds. `told` after each call. */
export async function playDay(company: Company, told: (fate: Fate) => void): Promise<void> {
  const call = async (one: Call): Promise<void> => told(await company.call(one));
  const shop = { server: 'shop' } as const;
  for (let i = 0; i < 14; i++) {
    await call({
      agent: 'refund-bot',
      for: pick(['bob', 'alice'], i),
      ...shop,
      tool: 'list_orders',
      args: { status: pick(['paid', 'open', 'refunded'], i) },
      why: `ticket ${4_700 + i}`,
    });
    await call({
      agent: 'concierge',
      for: 'bob',
      server: 'crm',
      tool: 'find_customer',
      args: { customer_id: pick(['cus_anna', 'cus_ben', 'cus_chloe'], i) },
      why: 'a customer writes in chat',
    });
    if (i % 3 === 0)
      await call({
        agent: 'concierge',
        for: 'bob',
        server: 'crm',
        tool: 'add_note',
        args: { customer_id: 'cus_anna', text: 'Asked for the parcel number.' },
        why: 'keeps what was said',
      });
    if (i % 2 === 0)
      await call({ agent: 'stock-keeper', server: 'warehouse', tool: 'read_stock', args: { sku: pick(['lamp', 'chair', 'desk'], i) } });
    if (i % 4 === 0)
      await call({
        agent: 'invoice-clerk',
        for: 'dana',
        server: 'billing',
        tool: 'list_invoices',
        args: { status: 'late' },
        why: 'the weekly round',
      });
    if (i % 5 === 0) await call({ agent: 'fraud-watch', server: 'billing', tool: 'list_invoices', args: {} });
  }
  const refunds = [500, 1_200, 8_900, 640, 2_300, 12_000, 1_999];
  for (const [i, amount_minor] of refunds.entries())
    await call({
      agent: pick(['refund-bot', 'returns-desk'], i),
      for: pick(['bob', 'alice'], i),
      ...shop,
      tool: 'create_refund',
      args: { payment_id: pick(['pay_8Qx2', 'pay_7Tr9'], i), amount_minor, currency: pick(['EUR', 'GBP'], i) },
      why: `charged twice, ticket ${4_711 + i}`,
    });
  for (const [sku, quantity] of [
    ['lamp', 40],
    ['chair', 80],
    ['desk', 25],
  ] as const)
    await call({ agent: 'stock-keeper', server: 'warehouse', tool: 'reorder', args: { sku, quantity } });
  await call({
    agent: 'returns-desk',
    for: 'alice',
    server: 'warehouse',
    tool: 'book_return',
    args: { order_id: 'ord_1003', condition: 'new' },
    why: 'came back in its box',
  });
  for (const [campaign, recipients] of [
    ['spring', 120],
    ['everybody', 8_000],
    ['late', 90],
  ] as const)
    await call({
      agent: 'campaign-writer',
      for: 'alice',
      server: 'crm',
      tool: 'send_mail',
      args: { campaign, recipients, subject: 'Your table is on its way' },
      why: 'asked for by marketing',
    });
  for (const invoice_id of ['inv_311', 'inv_312', 'inv_340'])
    await call({
      agent: 'invoice-clerk',
      for: 'dana',
      server: 'billing',
      tool: 'send_invoice',
      args: { invoice_id },
      why: 'late by two weeks',
    });
  // An agent whose owner has left; a person who may not; a sub-agent that looks, and one that would pay.
  for (let i = 0; i < 3; i++) told(await company.call({ agent: 'old-importer', ...shop, tool: 'list_orders' }));
  await call({ agent: 'invoice-clerk', for: 'bob', server: 'billing', tool: 'list_invoices', why: 'curious' });
  const through = { agent: 'refund-bot', for: 'alice', ...shop } as const;
  told(await company.delegate({ ...through, tool: 'list_orders', args: { limit: 5 }, why: 'sorts the inbox' }, 'triage-bot'));
  told(
    await company.delegate(
      { ...through, tool: 'create_refund', args: { payment_id: 'pay_8Qx2', amount_minor: 300, currency: 'EUR' }, why: 'saves a step' },
      'triage-bot',
    ),
  );

  // People decide: one yes that runs, one no; then what is left for whoever looks.
  const [forgotten] = await Promise.all([
    company.insist({
      agent: 'privacy-clerk',
      for: 'alice',
      ...shop,
      tool: 'delete_customer',
      args: { customer_id: 'cus_zoe' },
      why: 'asked to be forgotten, letter of 12 November',
    }),
    company.vote('delete_customer', 'people:u_carol', 'approve', 'letter seen, no open orders'),
  ]);
  told(forgotten);
  const [writtenOff] = await Promise.all([
    company.insist({
      agent: 'invoice-clerk',
      for: 'dana',
      server: 'billing',
      tool: 'write_off',
      args: { invoice_id: 'inv_291', amount_minor: 4_200, currency: 'EUR' },
      why: 'the parcel was lost on the way',
    }),
    company.vote('write_off', 'people:u_alice', 'approve', 'the carrier says so too'),
  ]);
  told(writtenOff);
  const [denied] = await Promise.all([
    company.insist({
      agent: 'invoice-clerk',
      for: 'dana',
      server: 'billing',
      tool: 'write_off',
      args: { invoice_id: 'inv_298', amount_minor: 90_000, currency: 'EUR' },
      why: 'the customer does not answer',
    }),
    company.vote('write_off', 'people:u_alice', 'deny', 'they have paid since: see the bank'),
  ]);
  told(denied);
  await company.halt('fraud-watch', 'asks for every customer in turn; being looked into');
  for (let i = 0; i < 4; i++) await call({ agent: 'fraud-watch', server: 'crm', tool: 'find_customer', args: { customer_id: `cus_${i}` } });
  await leaveWaiting(company, told);
}
/** What waits for people, of every kind; asked again it is the same. */
export async function leaveWaiting(company: Company, told: (fate: Fate) => void = () => undefined): Promise<void> {
  const all: readonly Call[] = [
    {
      agent: 'refund-bot',
      for: 'alice',
      server: 'shop',
      tool: 'delete_customer',
      args: { customer_id: 'cus_ben' },
      why: 'closed the account, ticket 4802',
    },
    {
      agent: 'invoice-clerk',
      for: 'dana',
      server: 'billing',
      tool: 'write_off',
      args: { invoice_id: 'inv_305', amount_minor: 18_500, currency: 'EUR' },
      why: 'bankrupt since October',
    },
    {
      agent: 'invoice-clerk',
      for: 'dana',
      server: 'billing',
      tool: 'write_off',
      args: { invoice_id: 'inv_277', amount_minor: 240_000, currency: 'EUR' },
      why: 'settled out of court',
    },
    { agent: 'stock-keeper', server: 'warehouse', tool: 'reorder', args: { sku: 'lamp', quantity: 600 }, why: 'December' },
    { agent: 'stock-keeper', server: 'warehouse', tool: 'scrap_stock', args: { sku: 'chair', quantity: 12 }, why: 'water damage' },
    {
      agent: 'campaign-writer',
      for: 'alice',
      server: 'crm',
      tool: 'send_mail',
      args: { campaign: 'advent', recipients: 900, subject: 'A light for every window' },
      why: 'asked for by marketing',
    },
    {
      agent: 'privacy-clerk',
      for: 'carol',
      server: 'crm',
      tool: 'export_customer',
      args: { customer_id: 'cus_ben' },
      why: 'asked what is known of them',
    },
  ];
  for (const one of all) told(await company.call(one));
}
/** Quiet business, while somebody looks. */
export async function trickle(company: Company, at: number): Promise<void> {
  const customer = pick(['cus_anna', 'cus_ben', 'cus_chloe', 'cus_dao'], at);
  await company.call({
    agent: 'concierge',
    for: 'bob',
    server: 'crm',
    tool: 'find_customer',
    args: { customer_id: customer },
    why: 'a customer writes in chat',
  });
  if (at % 3 === 0)
    await company.call({
      agent: 'refund-bot',
      for: 'bob',
      server: 'shop',
      tool: 'list_orders',
      args: { customer_id: customer },
      why: 'where is my parcel',
    });
  if (at % 5 === 0) await company.call({ agent: 'stock-keeper', server: 'warehouse', tool: 'read_stock', args: { sku: 'lamp' } });
  if (at % 7 === 0)
    await company.call({
      agent: 'refund-bot',
      for: 'bob',
      server: 'shop',
      tool: 'create_refund',
      args: { payment_id: 'pay_7Tr9', amount_minor: 9_900, currency: 'GBP' },
      why: 'arrived broken',
    });
}
