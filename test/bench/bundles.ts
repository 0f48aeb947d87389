/** Bundles of any size, grown from the sample: more policies, more tools, more agents. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { digestFile, formatManifest, isBundleFile, MANIFEST } from '../../src/bundle/manifest.ts';

/** Policies to a file: one may be a megabyte at most. */
const TO_A_FILE = 2_000;

/**
 * `count` policies in all: half name the tool and server of the measured exchange and an agent that does not ask, half another tool and a
 * person who does not ask. None is met by the exchange, and every one has to be kept out of its way.
 */
export async function growPolicies(folder: string, count: number): Promise<void> {
  const present = (await policies(folder)).length;
  const texts = Array.from({ length: Math.max(0, count - present) }, (_, i) =>
    i % 2 === 0
      ? permit(i, `principal == Actor::"agent-${i}"`, 'create_refund', `context.input.amount_minor < ${i + 1}`)
      : permit(i, `principal == Person::"people:v_${i}"`, 'list_orders', 'principal.groups.contains("support")'),
  );
  for (let at = 0; at < texts.length; at += TO_A_FILE)
    await writeFile(join(folder, `grown-${at}.cedar`), texts.slice(at, at + TO_A_FILE).join('\n'));
  await list(folder);
}
const permit = (i: number, principal: string, tool: string, when: string): string =>
  `@id("grown-${i}")\n@owner("team:support")\npermit (${principal}, action == shop::Action::"${tool}", resource == Server::"shop") when { ${when} };\n`;

/** `count` tools in all that can be called: `create_refund` and its copies, each with its schema and the same three policies. */
export async function growTools(folder: string, count: number): Promise<void> {
  const file = join(folder, 'servers', 'shop.yaml');
  const yaml = await readFile(file, 'utf8');
  const names = toolNames(count).slice(1);
  const tools = names.map(
    (name) =>
      `  ${name}:\n    description: Pays back.\n    input: { type: object, required: [payment_id, amount_minor, currency], properties: { payment_id: { type: string, minLength: 1, maxLength: 64 }, amount_minor: { type: integer, minimum: 1 }, currency: { type: string, enum: [EUR, GBP, USD] }, reason: { type: string, maxLength: 500 } } }\n    recordable: [amount_minor, currency]\n`,
  );
  await writeFile(file, `${yaml.trimEnd()}\n${tools.join('')}`);
  const scope = (name: string): string => `action == shop::Action::"${name}", resource == Server::"shop"`;
  const texts = names.flatMap((name) => [
    `@id("${name}-people")\n@owner("team:support")\npermit (principal is Person, ${scope(name)}) when { principal.groups.contains("support") };\n`,
    `@id("${name}-agent")\n@owner("team:support")\npermit (principal == Actor::"refund-bot", ${scope(name)});\n`,
    `@id("${name}-limit")\n@owner("team:support")\n@reason("refund_too_large")\nforbid (principal, ${scope(name)}) when { context.input.amount_minor > 5000 };\n`,
  ]);
  if (texts.length > 0) await writeFile(join(folder, 'grown-tools.cedar'), texts.join('\n'));
  await list(folder);
}
export const toolNames = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, i) => (i === 0 ? 'create_refund' : `create_refund_${i}`));

/** Any agent may ask for the refund: what differs between bundles is how many there are. */
export async function openToAgents(folder: string): Promise<void> {
  const text = `@id("any-agent")\n@owner("team:support")\npermit (principal is Actor, action == shop::Action::"create_refund", resource == Server::"shop");\n`;
  await writeFile(join(folder, 'grown-agents.cedar'), text);
  await list(folder);
}

async function policies(folder: string): Promise<readonly string[]> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.cedar'));
  const texts = await Promise.all(files.map((name) => readFile(join(folder, name), 'utf8')));
  return texts.flatMap((text) => text.match(/^@id\(/gm) ?? []);
}
async function list(folder: string): Promise<void> {
  const digests = new Map<string, string>();
  for (const path of await readdir(folder, { recursive: true }))
    if (isBundleFile(path)) digests.set(path.split(sep).join('/'), digestFile(await readFile(join(folder, path))));
  await writeFile(join(folder, MANIFEST), formatManifest(digests));
}
