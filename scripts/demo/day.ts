/** What happens at the company: most of it is business as usual, some is refused, some waits for people, and they decide some of that. */
import type { Call, Company, Fate } from './company.ts';
import type { DemoPersonName } from './identity-provider.ts';

type Told = (fate: Fate) => void;
const pick = <T>(all: readonly T[], at: number): T => all[at % all.length] as T;
/** `who` asks for itself, or for a person. */
function does(
  who: string | readonly [agent: string, person: DemoPersonName],
  server: string,
  tool: string,
  args: object,
  why?: string,
): Call {
  const [agent, person] = typeof who === 'string' ? [who] : who;
  return { agent, ...(person && { for: person }), server, tool, args, ...(why !== undefined && { why }) };
}
const CONCIERGE = ['concierge', 'bob'] as const;
const CLERK = ['invoice-clerk', 'dana'] as const;
const CUSTOMERS = ['cus_anna', 'cus_ben', 'cus_chloe', 'cus_dao'] as const;

/** Done every so often. */
type Habit = readonly [every: number, call: (at: number) => Call];
const HABITS: readonly Habit[] = [
  [
    1,
    (i) =>
      does(
        ['refund-bot', pick(['bob', 'alice'], i)],
        'shop',
        'list_orders',
        { status: pick(['paid', 'open', 'refunded'], i) },
        `ticket ${4_700 + i}`,
      ),
  ],
  [1, (i) => does(CONCIERGE, 'crm', 'find_customer', { customer_id: pick(CUSTOMERS.slice(0, 3), i) }, 'a customer writes in chat')],
  [3, () => does(CONCIERGE, 'crm', 'add_note', { customer_id: 'cus_anna', text: 'Asked for the parcel number.' }, 'keeps what was said')],
  [2, (i) => does('stock-keeper', 'warehouse', 'read_stock', { sku: pick(['lamp', 'chair', 'desk'], i) })],
  [4, () => does(CLERK, 'billing', 'list_invoices', { status: 'late' }, 'the weekly round')],
  [5, () => does('fraud-watch', 'billing', 'list_invoices', {})],
];
const MAIL = { subject: 'Your table is on its way' };
/** Once each. */
const BUSINESS: readonly Call[] = [
  ...[500, 1_200, 8_900, 640, 2_300, 12_000, 1_999].map((amount_minor, i) => {
    const args = { payment_id: pick(['pay_8Qx2', 'pay_7Tr9'], i), amount_minor, currency: pick(['EUR', 'GBP'], i) };
    const who = [pick(['refund-bot', 'returns-desk'], i), pick(['bob', 'alice'] as const, i)] as const;
    return does(who, 'shop', 'create_refund', args, `charged twice, ticket ${4_711 + i}`);
  }),
  does('stock-keeper', 'warehouse', 'reorder', { sku: 'lamp', quantity: 40 }),
  does('stock-keeper', 'warehouse', 'reorder', { sku: 'chair', quantity: 80 }),
  does('stock-keeper', 'warehouse', 'reorder', { sku: 'desk', quantity: 25 }),
  does(['returns-desk', 'alice'], 'warehouse', 'book_return', { order_id: 'ord_1003', condition: 'new' }, 'came back in its box'),
  does(['campaign-writer', 'alice'], 'crm', 'send_mail', { campaign: 'spring', recipients: 120, ...MAIL }, 'asked for by marketing'),
  does(['campaign-writer', 'alice'], 'crm', 'send_mail', { campaign: 'everybody', recipients: 8_000, ...MAIL }, 'asked for by marketing'),
  does(['campaign-writer', 'alice'], 'crm', 'send_mail', { campaign: 'late', recipients: 90, ...MAIL }, 'asked for by marketing'),
  ...['inv_311', 'inv_312', 'inv_340'].map((invoice_id) => does(CLERK, 'billing', 'send_invoice', { invoice_id }, 'late by two weeks')),
  // An agent whose owner has left; a person who may not.
  does('old-importer', 'shop', 'list_orders', {}),
  does('old-importer', 'shop', 'list_orders', {}),
  does('old-importer', 'shop', 'list_orders', {}),
  does(['invoice-clerk', 'bob'], 'billing', 'list_invoices', {}, 'curious'),
];
/** By a sub-agent: one looks, and one would pay. */
const DELEGATED: readonly Call[] = [
  does(['refund-bot', 'alice'], 'shop', 'list_orders', { limit: 5 }, 'sorts the inbox'),
  does(['refund-bot', 'alice'], 'shop', 'create_refund', { payment_id: 'pay_8Qx2', amount_minor: 300, currency: 'EUR' }, 'saves a step'),
];
const writeOff = (invoice_id: string, amount_minor: number, why: string): Call =>
  does(CLERK, 'billing', 'write_off', { invoice_id, amount_minor, currency: 'EUR' }, why);
/** What people decide at once, and what they say: two run, one does not. */
const DECIDED: readonly (readonly [call: Call, as: string, vote: 'approve' | 'deny', reason: string])[] = [
  [
    does(['privacy-clerk', 'alice'], 'shop', 'delete_customer', { customer_id: 'cus_zoe' }, 'asked to be forgotten, letter of 12 November'),
    'people:u_carol',
    'approve',
    'letter seen, no open orders',
  ],
  [writeOff('inv_291', 4_200, 'the parcel was lost on the way'), 'people:u_alice', 'approve', 'the carrier says so too'],
  [writeOff('inv_298', 90_000, 'the customer does not answer'), 'people:u_alice', 'deny', 'they have paid since: see the bank'],
];
const ADVENT = { campaign: 'advent', recipients: 900, subject: 'A light for every window' };
const WAITING: readonly Call[] = [
  does(['refund-bot', 'alice'], 'shop', 'delete_customer', { customer_id: 'cus_ben' }, 'closed the account, ticket 4802'),
  writeOff('inv_305', 18_500, 'bankrupt since October'),
  writeOff('inv_277', 240_000, 'settled out of court'),
  does('stock-keeper', 'warehouse', 'reorder', { sku: 'lamp', quantity: 600 }, 'December'),
  does('stock-keeper', 'warehouse', 'scrap_stock', { sku: 'chair', quantity: 12 }, 'water damage'),
  does(['campaign-writer', 'alice'], 'crm', 'send_mail', ADVENT, 'asked for by marketing'),
  does(['privacy-clerk', 'carol'], 'crm', 'export_customer', { customer_id: 'cus_ben' }, 'asked what is known of them'),
];
/** While somebody looks. */
const QUIET: readonly Habit[] = [
  [1, (i) => does(CONCIERGE, 'crm', 'find_customer', { customer_id: pick(CUSTOMERS, i) }, 'a customer writes in chat')],
  [3, (i) => does(['refund-bot', 'bob'], 'shop', 'list_orders', { customer_id: pick(CUSTOMERS, i) }, 'where is my parcel')],
  [5, () => does('stock-keeper', 'warehouse', 'read_stock', { sku: 'lamp' })],
  [
    7,
    () =>
      does(
        ['refund-bot', 'bob'],
        'shop',
        'create_refund',
        { payment_id: 'pay_7Tr9', amount_minor: 9_900, currency: 'GBP' },
        'arrived broken',
      ),
  ],
];

/** A busy few minutes, in some seconds. `told` after each call. */
export async function playDay(company: Company, told: Told): Promise<void> {
  const ask = async (all: readonly Call[]): Promise<void> => {
    for (const one of all) told(await company.call(one));
  };
  for (let i = 0; i < 14; i++) await ask(due(HABITS, i));
  await ask(BUSINESS);
  for (const one of DELEGATED) told(await company.delegate(one, 'triage-bot'));
  for (const [call, ...vote] of DECIDED) {
    const [fate] = await Promise.all([company.insist(call), company.vote(call.tool, ...vote)]);
    told(fate);
  }
  await company.halt('fraud-watch', 'asks for every customer in turn; being looked into');
  await ask([0, 1, 2, 3].map((i) => does('fraud-watch', 'crm', 'find_customer', { customer_id: `cus_${i}` })));
  await leaveWaiting(company, told);
}
const due = (habits: readonly Habit[], at: number): Call[] => habits.filter(([every]) => at % every === 0).map(([, call]) => call(at));

/** What waits for people, of every kind; asked again it is the same. */
export async function leaveWaiting(company: Company, told: Told = () => undefined): Promise<void> {
  for (const one of WAITING) told(await company.call(one));
}
/** Quiet business, while somebody looks. */
export async function trickle(company: Company, at: number): Promise<void> {
  for (const one of due(QUIET, at)) await company.call(one);
}
