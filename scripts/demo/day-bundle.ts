/** A company for the console to show: more agents, more tool servers, and policies that want people of several kinds. Added to a copy of the sample bundle. */
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { JsonObject } from '../../src/wire/json.ts';
import { writeManifest } from '../policies.ts';
import type { PublicJwk } from './bundle.ts';

/** Beside the three of the sample. */
export const DAY_AGENTS = [
  'concierge',
  'returns-desk',
  'invoice-clerk',
  'stock-keeper',
  'campaign-writer',
  'privacy-clerk',
  'fraud-watch',
  'forecast',
  'old-importer',
] as const;
export type DayAgent = (typeof DAY_AGENTS)[number];
const ABOUT: Readonly<Record<DayAgent, readonly [string, string, string, string]>> = {
  concierge: ['Concierge', 'people:u_bob', 'Answers customers in chat: looks them up and keeps notes.', '2027-05-31'],
  'returns-desk': ['Returns desk', 'people:u_alice', 'Books what comes back to the warehouse and pays for it.', '2027-04-30'],
  'invoice-clerk': ['Invoice clerk', 'people:u_dana', 'Sends invoices and chases those that are late.', '2027-02-28'],
  'stock-keeper': ['Stock keeper', 'people:u_dana', 'Reads the stock at night and orders what runs out. Nobody is about.', '2027-06-30'],
  'campaign-writer': ['Campaign writer', 'people:u_carol', 'Writes to customers who asked for it.', '2027-01-31'],
  'privacy-clerk': [
    'Privacy clerk',
    'people:u_carol',
    'Answers people who ask what is known of them, or ask to be forgotten.',
    '2027-03-31',
  ],
  'fraud-watch': ['Fraud watch', 'people:u_dana', 'Looks for payments that do not fit.', '2027-06-30'],
  forecast: ['Forecast', 'people:u_dana', 'Reads the stock to say what will be needed.', '2026-06-30'],
  'old-importer': ['Old importer', 'people:u_erik', 'Copied orders from the shop before this one.', '2026-03-31'],
};
type Fields = Readonly<Record<string, JsonObject>>;
interface DayTool {
  readonly description: string;
  readonly fields: Fields;
  readonly required: readonly string[];
  readonly recordable?: readonly string[];
}
const id: JsonObject = { type: 'string', minLength: 1, maxLength: 64 };
const amounts: Fields = { amount_minor: { type: 'integer', minimum: 1 }, currency: { type: 'string', enum: ['EUR', 'GBP', 'USD'] } };
/** By server and tool. */
export const DAY_SERVERS: Readonly<Record<string, { readonly name: string; readonly tools: Readonly<Record<string, DayTool>> }>> = {
  crm: {
    name: 'Customers',
    tools: {
      find_customer: {
        description: 'Finds a customer by number or address.',
        fields: { customer_id: id, email: { type: 'string' } },
        required: [],
      },
      add_note: {
        description: 'Adds a note to a customer.',
        fields: { customer_id: id, text: { type: 'string', maxLength: 2000 } },
        required: ['customer_id', 'text'],
      },
      send_mail: {
        description: 'Writes to everybody of a list.',
        fields: { campaign: id, recipients: { type: 'integer', minimum: 1 }, subject: { type: 'string', maxLength: 200 } },
        required: ['campaign', 'recipients', 'subject'],
        recordable: ['campaign', 'recipients'],
      },
      export_customer: {
        description: 'Everything that is known of a customer, as a file.',
        fields: { customer_id: id },
        required: ['customer_id'],
      },
    },
  },
  billing: {
    name: 'Billing',
    tools: {
      list_invoices: {
        description: 'Lists invoices.',
        fields: { status: { type: 'string', enum: ['open', 'late', 'paid'] } },
        required: [],
      },
      send_invoice: { description: 'Sends an invoice once more.', fields: { invoice_id: id }, required: ['invoice_id'] },
      write_off: {
        description: 'Gives up an amount that is owed.',
        fields: { invoice_id: id, ...amounts },
        required: ['invoice_id', 'amount_minor', 'currency'],
        recordable: ['amount_minor', 'currency'],
      },
    },
  },
  warehouse: {
    name: 'Warehouse',
    tools: {
      read_stock: { description: 'How much of everything is there.', fields: { sku: id }, required: [] },
      reorder: {
        description: 'Orders more of something.',
        fields: { sku: id, quantity: { type: 'integer', minimum: 1, maximum: 10000 } },
        required: ['sku', 'quantity'],
        recordable: ['sku', 'quantity'],
      },
      book_return: {
        description: 'Books what came back.',
        fields: { order_id: id, condition: { type: 'string', enum: ['new', 'used', 'broken'] } },
        required: ['order_id', 'condition'],
      },
      scrap_stock: {
        description: 'Throws stock away for good.',
        fields: { sku: id, quantity: { type: 'integer', minimum: 1 } },
        required: ['sku', 'quantity'],
      },
    },
  },
};
const permit = (
  name: string,
  principal: string,
  server: string,
  tools: string,
  more: { readonly said?: string; readonly when?: string } = {},
): string =>
  `@id("${name}")${more.said ? `\n${more.said}` : ''}
permit (
  principal ${principal},
  action in [${['tool:list', ...tools.split(' ')].map((tool) => `${server}::Action::"${tool}"`).join(', ')}],
  resource == Server::"${server}"
)${more.when ? `\nwhen { ${more.when} }` : ''};
`;
/** For one tool alone: a demand on a base token would ask people to agree to a list. */
const single = (
  name: string,
  principal: string,
  server: string,
  tool: string,
  more: { readonly said?: string; readonly when?: string },
): string => permit(name, principal, server, tool, more).replace(`${server}::Action::"tool:list", `, '');
const member = (group: string): string => `principal.groups.contains("${group}")`;
const POLICIES = [
  '// Who may have what done for them.',
  permit('support-knows-customers', 'is Person', 'crm', 'find_customer add_note', {
    said: '@owner("team:support")',
    when: member('support'),
  }),
  permit('privacy-opens-customers', 'is Person', 'crm', 'find_customer', { said: '@owner("team:privacy")', when: member('privacy') }),
  single('leads-write-to-customers', 'is Person', 'crm', 'send_mail', { said: '@owner("team:marketing")', when: member('support-leads') }),
  single('large-campaigns', 'is Person', 'crm', 'send_mail', {
    said: '@owner("team:marketing")\n@approval("owner")\n@approval_ttl("2h")',
    when: `${member('support-leads')} && context.input.recipients > 200`,
  }),
  single('export-is-confirmed', 'is Person', 'crm', 'export_customer', {
    said: '@owner("team:privacy")\n@confirm\n@approval_ttl("30m")',
    when: member('privacy'),
  }),
  permit('platform-bills', 'is Person', 'billing', 'list_invoices send_invoice', {
    said: '@owner("team:finance")',
    when: member('platform'),
  }),
  single('write-off-small', 'is Person', 'billing', 'write_off', {
    said: '@owner("team:finance")\n@approval("team:support-leads")\n@approval_ttl("1h")',
    when: member('platform'),
  }),
  single('write-off-large', 'is Person', 'billing', 'write_off', {
    said: '@owner("team:finance")\n@approval("team:support-leads, team:privacy")\n@quorum("2")\n@approval_ttl("1h")',
    when: `${member('platform')} && context.input.amount_minor > 100000`,
  }),
  permit('support-books-returns', 'is Person', 'warehouse', 'read_stock book_return', {
    said: '@owner("team:support")',
    when: member('support'),
  }),
  '// What agents may do for them.',
  permit('concierge-acts', '== Actor::"concierge"', 'crm', 'find_customer add_note', { said: '@owner("people:u_bob")\n@ttl("2m")' }),
  permit('returns-desk-books', '== Actor::"returns-desk"', 'warehouse', 'read_stock book_return', { said: '@owner("people:u_alice")' }),
  permit('returns-desk-pays', '== Actor::"returns-desk"', 'shop', 'list_orders create_refund', { said: '@owner("people:u_alice")' }),
  permit('invoice-clerk-acts', '== Actor::"invoice-clerk"', 'billing', 'list_invoices send_invoice write_off', {
    said: '@owner("people:u_dana")',
  }),
  permit('campaign-writer-acts', '== Actor::"campaign-writer"', 'crm', 'find_customer send_mail', { said: '@owner("people:u_carol")' }),
  permit('privacy-clerk-acts', '== Actor::"privacy-clerk"', 'crm', 'find_customer export_customer', { said: '@owner("people:u_carol")' }),
  single('privacy-clerk-forgets', '== Actor::"privacy-clerk"', 'shop', 'delete_customer', { said: '@owner("people:u_carol")' }),
  '// What agents may do alone.',
  permit('stock-keeper-alone', '== Agent::"stock-keeper"', 'warehouse', 'read_stock', { said: '@owner("people:u_dana")' }),
  single('stock-keeper-orders', '== Agent::"stock-keeper"', 'warehouse', 'reorder', {
    said: '@owner("people:u_dana")',
    when: 'context.input.quantity <= 100',
  }),
  single('stock-keeper-orders-much', '== Agent::"stock-keeper"', 'warehouse', 'reorder', {
    said: '@owner("people:u_dana")\n@approval("team:platform")\n@approval_ttl("4h")',
    when: 'context.input.quantity > 100',
  }),
  single('stock-keeper-scraps', '== Agent::"stock-keeper"', 'warehouse', 'scrap_stock', {
    said: '@owner("people:u_dana")\n@approval("team:platform")\n@approval_proof("passkey")\n@approval_ttl("4h")',
  }),
  permit('fraud-watch-alone', '== Agent::"fraud-watch"', 'billing', 'list_invoices', { said: '@owner("people:u_dana")' }),
  permit('fraud-watch-customers', '== Agent::"fraud-watch"', 'crm', 'find_customer', { said: '@owner("people:u_dana")' }),
  permit('forecast-alone', '== Agent::"forecast"', 'warehouse', 'read_stock', { said: '@owner("people:u_dana")' }),
  permit('old-importer-alone', '== Agent::"old-importer"', 'shop', 'list_orders', { said: '@owner("people:u_erik")' }),
  `// Limits that hold for everybody.
@id("mail-limit")
@owner("team:marketing")
@reason("too_many_recipients")
@remedy("Write to 1000 recipients or fewer at a time.")
@hint("{\\"argument\\":\\"recipients\\",\\"maximum\\":1000}")
forbid (principal, action == crm::Action::"send_mail", resource == Server::"crm")
when { context.input.recipients > 1000 };
`,
];
const BUDGETS = `budgets:
  - { id: refunds_a_day, title: Refunds in EUR of one agent a day, on: { server: shop, tool: create_refund }, per: [agent], sum: amount_minor, where: { currency: EUR }, limit: 20000, window: 24h }
  - { id: units_a_day, title: Units ordered a day, on: { server: warehouse, tool: reorder }, per: [agent], sum: quantity, limit: 1200, window: 24h }
  - { id: mails_a_day, title: Recipients a day, on: { server: crm, tool: send_mail }, per: [owner], sum: recipients, limit: 3000, window: 24h }
`;

export interface Day {
  readonly folder: string;
  /** Public keys, by agent id and by server id. */
  readonly keys: Readonly<Record<string, PublicJwk>>;
  /** By server id. */
  readonly resources: Readonly<Record<string, string>>;
}
export async function addDay({ folder, keys, resources }: Day): Promise<void> {
  const file = join(folder, 'agents.yaml');
  const people = `people:\n  - { id: people:u_carol, name: Carol Okafor }\n  - { id: people:u_dana, name: Dana Lindqvist }\n`;
  await writeFile(
    file,
    (await readFile(file, 'utf8')).replace(/^people:\n/m, () => people),
  );
  const agents = DAY_AGENTS.map((agent) => {
    const [name, owner, purpose, review] = ABOUT[agent];
    return `  - ${JSON.stringify({ id: agent, name, owner, purpose, review, identity: identityOf(keys[agent]) })}\n`;
  });
  await appendFile(file, `\n${agents.join('')}`);
  for (const [server, { name, tools }] of Object.entries(DAY_SERVERS)) {
    const shown = Object.entries(tools).map(([tool, { description, fields, required, recordable = [] }]) => {
      const input = { type: 'object', properties: fields, ...(required.length > 0 && { required }) };
      return [tool, { description, input, ...(recordable.length > 0 && { recordable }) }];
    });
    const entry = { id: server, name, resource: resources[server], identity: identityOf(keys[server]), tools: Object.fromEntries(shown) };
    await writeFile(join(folder, 'servers', `${server}.yaml`), `${JSON.stringify(entry, null, 2)}\n`);
  }
  await writeFile(join(folder, 'company.cedar'), POLICIES.join('\n'));
  await writeFile(join(folder, 'budgets.yaml'), BUDGETS);
  await writeManifest(folder);
}
const identityOf = (key: PublicJwk | undefined): object => ({ jwks: { keys: [key ?? {}] } });
