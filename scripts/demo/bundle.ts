/** A copy of the sample bundle with this run's keys and addresses in it: the sample itself names nobody's real key. Comments stay. */
import { cp, readdir, readFile, writeFile } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { type Document, isMap, isSeq, parseDocument, type YAMLMap, type YAMLSeq } from 'yaml';
import { digestFile, formatManifest, isBundleFile, MANIFEST } from '../../src/bundle/manifest.ts';

/** A public JWK, of whatever library's type. */
export type PublicJwk = object;
export interface DemoBundle {
  /** The sample bundle. */
  readonly from: string;
  /** Made, and written over. */
  readonly to: string;
  /** Where the shop's MCP endpoint is in this run. */
  readonly resource: string;
  /** By agent id. */
  readonly agentKeys: Readonly<Record<string, PublicJwk>>;
  /** By tool server id. */
  readonly serverKeys: Readonly<Record<string, PublicJwk>>;
}
const SHOP = 'shop';
const AGENTS = 'agents.yaml';

/** Errors: an agent or server of that id is not in the sample. */
export async function writeDemoBundle({ from, to, resource, agentKeys, serverKeys }: DemoBundle): Promise<void> {
  await cp(from, to, { recursive: true });
  await edit(join(to, AGENTS), (doc) => {
    for (const [id, jwk] of Object.entries(agentKeys)) identify(doc, byId(list(doc, 'agents'), id), jwk);
  });
  const missing = new Set([SHOP, ...Object.keys(serverKeys)]);
  for (const name of await readdir(join(to, 'servers'))) {
    if (!isBundleFile(name)) continue;
    await edit(join(to, 'servers', name), (doc) => {
      const id = String(doc.get('id'));
      missing.delete(id);
      if (id === SHOP) doc.set('resource', resource);
      const jwk = serverKeys[id];
      if (jwk && isMap(doc.contents)) identify(doc, doc.contents, jwk);
    });
  }
  if (missing.size > 0) throw new Error(`the sample bundle has no server ${[...missing].join(', ')}`);
  await writeManifest(to);
}

/** The shop's tools get credentials of back ends: a database role for each refund, a session of one prefix for each export. */
export async function addBackEnds(folder: string): Promise<void> {
  await edit(join(folder, 'servers', `${SHOP}.yaml`), (doc) => {
    doc.setIn(['tools', 'create_refund', 'credentials'], doc.createNode({ vault: REFUND_WRITER }));
    doc.setIn(['tools', 'export_orders'], doc.createNode(EXPORT_ORDERS));
  });
  await writeFile(join(folder, 'exports.cedar'), EXPORTS);
  await writeManifest(folder);
}
const REFUND_WRITER = { form: 'database', role: 'refunds', path: 'database/creds/refund-writer', cap: 10, ttlSeconds: 30 };
const EXPORT_ORDERS = {
  description: 'What was exported for one customer.',
  input: { type: 'object', required: ['customer_id'], properties: { customer_id: { type: 'string', minLength: 1, maxLength: 64 } } },
  recordable: ['customer_id'],
  credentials: {
    aws: {
      role: 'arn:aws:iam::123456789012:role/readwrite',
      claims: { policy: 'readwrite' },
      ttlSeconds: 5,
      parameters: { customer: { argument: 'customer_id', type: 'segment' } },
      policy: {
        Version: '2012-10-17',
        Statement: [
          { Effect: 'Allow', Action: 's3:GetObject', Resource: { $join: ['arn:aws:s3:::exports/', { $param: 'customer' }, '/*'] } },
          {
            Effect: 'Allow',
            Action: 's3:ListBucket',
            Resource: 'arn:aws:s3:::exports',
            Condition: { StringLike: { 's3:prefix': { $join: [{ $param: 'customer' }, '/*'] } } },
          },
        ],
      },
    },
  },
};
const EXPORTS = `@id("support-exports")
@owner("team:support")
permit (principal is Person, action == shop::Action::"export_orders", resource == Server::"shop")
when { principal.groups.contains("support") };

@id("refund-bot-exports")
@owner("people:u_alice")
permit (principal == Actor::"refund-bot", action == shop::Action::"export_orders", resource == Server::"shop");
`;

/** Someone leaves: taken off the list of people, so that the agents this person owned have no owner. Errors: nobody of that name. */
export async function removePerson(folder: string, principal: string): Promise<void> {
  await edit(join(folder, AGENTS), (doc) => {
    const people = list(doc, 'people');
    people.delete(people.items.indexOf(byId(people, principal)));
  });
  await writeManifest(folder);
}

async function writeManifest(folder: string): Promise<void> {
  const digests = new Map<string, string>();
  for (const path of await readdir(folder, { recursive: true })) {
    if (isBundleFile(path)) digests.set(path.split(sep).join('/'), digestFile(await readFile(join(folder, path))));
  }
  await writeFile(join(folder, MANIFEST), formatManifest(digests));
}
async function edit(file: string, change: (doc: Document) => void): Promise<void> {
  const doc = parseDocument(await readFile(file, 'utf8'));
  if (doc.errors.length > 0) throw new Error(`${file} is not YAML`);
  change(doc);
  await writeFile(file, doc.toString({ lineWidth: 0 }));
}
function list(doc: Document, key: string): YAMLSeq {
  const found = doc.get(key);
  if (!isSeq(found)) throw new Error(`the sample bundle has no list of ${key}`);
  return found;
}
function byId(items: YAMLSeq, id: string): YAMLMap {
  const found = items.items.find((item) => isMap(item) && item.get('id') === id);
  if (!isMap(found)) throw new Error(`the sample bundle has no ${id}`);
  return found;
}
const identify = (doc: Document, entry: YAMLMap, jwk: PublicJwk): void => entry.set('identity', doc.createNode({ jwks: { keys: [jwk] } }));
