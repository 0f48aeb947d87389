/** The demo's tool server: a real MCP server over streamable HTTP, guarded by `countersign/verify`. It trusts the broker's tokens and no caller. */
import { createPrivateKey } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { hostHeaderValidation, localhostHostValidation, toNodeHandler } from '@modelcontextprotocol/node';
import { type CallToolResult, createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { guard, guardTools } from '../../src/verify/adapter-mcp.ts';
import {
  type Action,
  createVerifier,
  currentAction,
  folderQueue,
  memoryConsumed,
  type Receipts,
  receipts,
  sqliteConsumed,
} from '../../src/verify/verify.ts';
import type { DemoKey } from './keys.ts';

export interface ShopOptions {
  /** 0 or absent: any free port. */
  readonly port?: number;
  /** Where there is more than loopback: the address to listen on, and the resource as its callers name it. */
  readonly public?: { readonly host: string; readonly resource: string };
  /** The broker's issuer; it need not run yet. */
  readonly issuer: string;
  /** What this server signs its receipts with. */
  readonly serverKey: DemoKey;
  /** Keeps used actions and unsent receipts over a restart; absent: in memory. */
  readonly dataFolder?: string;
  /** What lies behind the shop, where there is more than its memory. */
  readonly outside?: Outside;
  /** Asks the broker about each token, and so sees a revocation at once. */
  readonly introspect?: boolean;
}
/** Each is given the action it happens in: what it may touch comes from that. */
export interface Outside {
  book(refund: Stock['refunds'][number], action: Action): Promise<void>;
  exports(customer: string, action: Action): Promise<readonly string[]>;
}
export interface ToolRun {
  readonly tool: string;
  readonly arguments: object;
  /** On whose behalf, and which agent. */
  readonly subject: string;
  readonly clientId: string;
  readonly txn: string;
}
export interface Shop {
  /** The MCP endpoint, and the `aud` of its tokens. */
  readonly resource: string;
  /** How often tools have run, or one of them. */
  runs(tool?: string): number;
  readonly ran: readonly ToolRun[];
  readonly receipts: Receipts;
  readonly stock: Stock;
  close(): Promise<void>;
}

export type Currency = 'EUR' | 'GBP' | 'USD';
export interface Order {
  readonly id: string;
  readonly customer_id: string;
  readonly payment_id: string;
  readonly amount_minor: number;
  readonly currency: Currency;
  status: 'open' | 'paid' | 'refunded' | 'cancelled';
}
export interface Stock {
  readonly customers: Map<string, { readonly name: string }>;
  readonly orders: Order[];
  readonly refunds: { readonly id: string; readonly payment_id: string; readonly amount_minor: number; readonly currency: Currency }[];
}
/** Newest first. `pay_8Qx2` was charged twice: that is what the demo refunds. */
const stocked = (): Stock => ({
  customers: new Map([
    ['cus_anna', { name: 'Anna Lindqvist' }],
    ['cus_ben', { name: 'Ben Osei' }],
  ]),
  orders: [
    { id: 'ord_1004', customer_id: 'cus_ben', payment_id: 'pay_7Tr9', amount_minor: 129_900, currency: 'GBP', status: 'paid' },
    { id: 'ord_1003', customer_id: 'cus_anna', payment_id: 'pay_8Qx2', amount_minor: 8_500, currency: 'EUR', status: 'paid' },
    { id: 'ord_1002', customer_id: 'cus_anna', payment_id: 'pay_5Kd1', amount_minor: 1_999, currency: 'EUR', status: 'refunded' },
    { id: 'ord_1001', customer_id: 'cus_ben', payment_id: 'pay_2Bm4', amount_minor: 640, currency: 'USD', status: 'cancelled' },
  ],
  refunds: [],
});

const SERVER_ID = 'shop';

export async function startShop(options: ShopOptions): Promise<Shop> {
  const { issuer, serverKey, dataFolder } = options;
  let serve: Parameters<typeof createServer>[1] = (_, response) => void response.writeHead(503).end();
  const http = createServer((request, response) => serve?.(request, response));
  await new Promise<void>((done, failed) => {
    http.once('error', failed);
    http.listen(options.port ?? 0, options.public?.host ?? '127.0.0.1', done);
  });
  const resource = options.public?.resource ?? `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`;

  const login = { clientId: SERVER_ID, key: createPrivateKey({ key: { ...serverKey.privateJwk }, format: 'jwk' }), kid: serverKey.kid };
  const told = receipts({ issuer, ...login, ...(dataFolder !== undefined && { queue: folderQueue(join(dataFolder, 'receipts')) }) });
  const file = dataFolder === undefined ? undefined : sqliteConsumed({ path: join(dataFolder, 'consumed.db') });
  const verifier = createVerifier({
    issuer,
    resource,
    consumed: file ?? memoryConsumed(),
    receipts: told,
    name: 'Shop',
    tools: ['list_orders', 'create_refund', 'delete_customer', ...(options.outside ? ['export_orders'] : [])],
    ...(options.introspect && { introspect: login }),
  });
  const stock = stocked();
  const ran: ToolRun[] = [];
  const handler = toNodeHandler(
    guard(
      createMcpHandler(() => shopServer(stock, ran, options.outside)),
      { verifier },
    ),
  );
  const known = options.public ? hostHeaderValidation([new URL(resource).hostname]) : localhostHostValidation();
  serve = (request, response) => {
    if (!known(request, response)) return;
    // The SDK's own structural type and exactOptionalPropertyTypes disagree on `undefined`.
    void handler(request as Parameters<typeof handler>[0], response);
  };
  return {
    resource,
    runs: (tool) => (tool === undefined ? ran.length : ran.filter((run) => run.tool === tool).length),
    ran,
    receipts: told,
    stock,
    async close() {
      await new Promise<void>((done) => {
        http.close(() => done());
        http.closeAllConnections();
      });
      await told.close();
      file?.close();
    },
  };
}

/** One per request: the SDK serves without sessions. The schemas are those of policies/servers/shop.yaml. */
function shopServer(stock: Stock, ran: ToolRun[], outside: Outside | undefined): McpServer {
  const server = guardTools(new McpServer({ name: 'shop', version: '1.0.0' }));
  const note = (tool: string, args: object): void => {
    const action = currentAction();
    ran.push({ tool, arguments: args, subject: action?.subject ?? '', clientId: action?.clientId ?? '', txn: action?.txn ?? '' });
  };
  const id = z.string().min(1).max(64);

  server.registerTool(
    'list_orders',
    {
      description: 'Lists orders, newest first.',
      inputSchema: z.strictObject({
        customer_id: id.optional(),
        status: z.enum(['open', 'paid', 'refunded', 'cancelled']).optional(),
        limit: z.int().min(1).max(100).default(20),
      }),
    },
    (args) => {
      note('list_orders', args);
      const fits = (order: Order): boolean =>
        (args.customer_id === undefined || order.customer_id === args.customer_id) &&
        (args.status === undefined || order.status === args.status);
      return said({ orders: stock.orders.filter(fits).slice(0, args.limit) });
    },
  );

  server.registerTool(
    'create_refund',
    {
      description: 'Pays an amount back to the customer.',
      inputSchema: z.strictObject({
        payment_id: id,
        amount_minor: z.int().min(1),
        currency: z.enum(['EUR', 'GBP', 'USD']),
        reason: z.string().max(500).optional(),
      }),
    },
    async ({ payment_id, amount_minor, currency, reason }) => {
      note('create_refund', { payment_id, amount_minor, currency, ...(reason !== undefined && { reason }) });
      const order = stock.orders.find((o) => o.payment_id === payment_id && o.currency === currency && o.status === 'paid');
      const before = stock.refunds.filter((r) => r.payment_id === payment_id).reduce((sum, r) => sum + r.amount_minor, 0);
      if (!order || before + amount_minor > order.amount_minor) return failed('There is no such payment of that much to refund.');
      const refund = { id: `re_${String(stock.refunds.length + 1).padStart(4, '0')}`, payment_id, amount_minor, currency };
      const action = currentAction();
      if (action) await outside?.book(refund, action);
      stock.refunds.push(refund);
      if (before + amount_minor === order.amount_minor) order.status = 'refunded';
      // The guard would say `done`; here the broker also learns how much it really was.
      await action?.receipt('done', { amount_minor });
      return said({ refund });
    },
  );

  if (outside)
    server.registerTool(
      'export_orders',
      { description: 'What was exported for one customer.', inputSchema: z.strictObject({ customer_id: id }) },
      async ({ customer_id }) => {
        note('export_orders', { customer_id });
        const action = currentAction();
        return said({ files: action ? await outside.exports(customer_id, action) : [] });
      },
    );

  server.registerTool(
    'delete_customer',
    {
      description: 'Deletes a customer and everything known of them. Cannot be undone.',
      inputSchema: z.strictObject({ customer_id: id }),
    },
    ({ customer_id }) => {
      note('delete_customer', { customer_id });
      if (!stock.customers.delete(customer_id)) return failed('There is no such customer.');
      for (let i = stock.orders.length - 1; i >= 0; i--) if (stock.orders[i]?.customer_id === customer_id) stock.orders.splice(i, 1);
      return said({ deleted: customer_id });
    },
  );
  return server;
}

const said = (value: object): CallToolResult => ({ content: [{ type: 'text', text: JSON.stringify(value) }] });
const failed = (text: string): CallToolResult => ({ isError: true, content: [{ type: 'text', text }] });
