import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DetailsFlaw, formatDetails, grantedDetails, parseDetails } from '../../../src/wire/details.ts';
import { digest, EMPTY_DIGEST } from '../../../src/wire/digest.ts';
import type { Json } from '../../../src/wire/json.ts';

const RESOURCE = 'https://mcp.shop.example/mcp';
const args = { payment_id: 'pay_8Qx2', amount_minor: 4250, currency: 'EUR' };
const entry = {
  type: 'urn:countersign:tool-call:v1',
  locations: [RESOURCE],
  actions: ['tools/call'],
  identifier: 'create_refund',
  arguments: args,
};
const without = (name: keyof typeof entry): Record<string, unknown> =>
  Object.fromEntries(Object.entries(entry).filter(([k]) => k !== name));

test('an entry as wire.md §3 shows it', () => {
  const context = { session: 's', trace: 't', model: 'm' };
  const text = JSON.stringify([{ ...entry, arguments_digest: digest(args), purpose: 'refund', context }]);
  assert.deepEqual(parseDetails(text, RESOURCE), {
    ok: true,
    value: { resource: RESOURCE, tool: 'create_refund', digest: digest(args), arguments: args, purpose: 'refund', context },
  });
});
test('no arguments are the empty object; a digest alone knows none', () => {
  const bare = without('arguments');
  assert.deepEqual(parseDetails(JSON.stringify([bare]), RESOURCE), {
    ok: true,
    value: { resource: RESOURCE, tool: 'create_refund', digest: EMPTY_DIGEST, arguments: {} },
  });
  assert.deepEqual(parseDetails(JSON.stringify([{ ...bare, arguments_digest: digest(args) }]), RESOURCE), {
    ok: true,
    value: { resource: RESOURCE, tool: 'create_refund', digest: digest(args) },
  });
});

const HOSTILE: readonly (readonly [string, unknown, DetailsFlaw])[] = [
  ['no list', entry, 'details_type'],
  ['null', null, 'details_type'],
  ['nothing in it', [], 'details_count'],
  ['two entries', [entry, entry], 'details_count'],
  ['a string', ['x'], 'details_type'],
  ['another type', [{ ...entry, type: 'urn:countersign:tool-call:v2' }], 'details_type'],
  ['no type', [without('type')], 'details_type'],
  ['an unknown member', [{ ...entry, privileges: ['admin'] }], 'details_member'],
  ['RFC 9396 datatypes', [{ ...entry, datatypes: ['x'] }], 'details_member'],
  ['no location', [without('locations')], 'details_location'],
  ['another location', [{ ...entry, locations: [`${RESOURCE}/`] }], 'details_location'],
  ['two locations', [{ ...entry, locations: [RESOURCE, 'https://evil.example'] }], 'details_location'],
  ['a location outside a list', [{ ...entry, locations: RESOURCE }], 'details_location'],
  ['no action', [without('actions')], 'details_action'],
  ['another action', [{ ...entry, actions: ['tools/list'] }], 'details_action'],
  ['two actions', [{ ...entry, actions: ['tools/call', 'tools/call'] }], 'details_action'],
  ['no identifier', [without('identifier')], 'details_tool'],
  ['an identifier with a space', [{ ...entry, identifier: 'create_refund tool:delete' }], 'details_tool'],
  ['an identifier with a quote', [{ ...entry, identifier: 'a"b' }], 'details_tool'],
  ['an empty identifier', [{ ...entry, identifier: '' }], 'details_tool'],
  ['a long identifier', [{ ...entry, identifier: 'a'.repeat(129) }], 'details_tool'],
  ['arguments a list', [{ ...entry, arguments: [] }], 'details_member'],
  ['arguments null', [{ ...entry, arguments: null }], 'details_member'],
  ['arguments a string', [{ ...entry, arguments: '{}' }], 'details_member'],
  ['the digest of others', [{ ...entry, arguments_digest: digest({ ...args, amount_minor: 1 }) }], 'digest_mismatch'],
  ['a digest of another form', [{ ...entry, arguments_digest: 'sha-1:abc' }], 'digest_mismatch'],
  ['a digest that is a number', [{ ...entry, arguments_digest: 1 }], 'digest_mismatch'],
  ['purpose an object', [{ ...entry, purpose: {} }], 'details_member'],
  ['purpose too long', [{ ...entry, purpose: 'p'.repeat(1_001) }], 'details_member'],
  ['context open', [{ ...entry, context: { user: 'x' } }], 'details_member'],
  ['context not text', [{ ...entry, context: { session: 1 } }], 'details_member'],
  ['context too long', [{ ...entry, context: { model: 'm'.repeat(257) } }], 'details_member'],
  ['context a list', [{ ...entry, context: [] }], 'details_member'],
];
for (const [name, value, flaw] of HOSTILE) {
  test(`${flaw}: ${name}`, () => assert.deepEqual(parseDetails(JSON.stringify(value), RESOURCE), { ok: false, error: flaw }));
}
test('strict JSON comes first', () => {
  const text = JSON.stringify([entry]);
  const twice = text.replace('"amount_minor":4250', '"amount_minor":1,"amount_minor":4250');
  assert.deepEqual(parseDetails(twice, RESOURCE), { ok: false, error: 'json_duplicate_key' });
  assert.deepEqual(parseDetails(text.replace('4250', '9007199254740993'), RESOURCE), { ok: false, error: 'json_number' });
  assert.deepEqual(parseDetails(text.slice(1), RESOURCE), { ok: false, error: 'json_syntax' });
});
test('inside a token the digest stands alone', () => {
  const call = { resource: RESOURCE, tool: 'create_refund', digest: digest(args) };
  const granted = formatDetails(call) as Json;
  assert.deepEqual(grantedDetails(granted, RESOURCE), { ok: true, value: call });
  assert.deepEqual(grantedDetails([entry] as unknown as Json, RESOURCE), { ok: false, error: 'details_member' });
  assert.deepEqual(grantedDetails(granted, 'https://other.example/mcp'), { ok: false, error: 'details_location' });
  assert.deepEqual(grantedDetails(undefined, RESOURCE), { ok: false, error: 'details_type' });
});
