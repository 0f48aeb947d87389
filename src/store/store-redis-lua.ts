/**
 * The commit and the look as functions inside Redis: one trip, one thread, all or nothing. Keys, under one hash tag:
 *   meta     hash: `id` of the store, `run` of the server process, `history` that it goes on with, `since` when its memory begins, `n` commits, `seq` entries, `seen` latest
 *            time, `watch` kinds of keys that somebody follows, `ch` latest change
 *   k:<h>    a key: version, until, value and, if it has terms, its name and the terms' hashes, as MessagePack; Redis ends it by itself unless
 *            it has terms, since those end with it (store-redis-lua-ledger.ts, `tidy`)
 *   t:<h>    a term: sorted set of `entry/<seq>` and `<name>\0<h>`, in order of name
 *   s n x    a sum (store-redis-lua-sums.ts)
 *   log      stream of entries, id `<seq>-0`; chain, tail, seal: who wrote which and how they are linked (store-redis-lua-ledger.ts)
 *   move, torn  of a store that has moved here (store-redis-lua-import.ts); then meta has the `salt` of its names
 *   changes  stream of the names that changed, for followers; bounded
 * Every check comes before the first write: an error in between would leave half a batch, as nothing is rolled back.
 */
import { createHash } from 'node:crypto';
import { COMMIT, GRACE } from './store-redis-lua-commit.ts';
import { IMPORT } from './store-redis-lua-import.ts';
import { LEDGER } from './store-redis-lua-ledger.ts';
import { LOOK } from './store-redis-lua-look.ts';
import { SUMS } from './store-redis-lua-sums.ts';

const COMMON = `
local run
-- Which process this is. A library begins anew with each, so it is asked once.
local function whoami()
  run = run or string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
  return run
end
local function timeOf(given)
  if given ~= '' then return tonumber(given) end
  return tonumber(redis.call('TIME')[1])
end
-- Is this the memory that the broker knows? id, the latest commit it was told of.
local function standing(meta, id, known, given)
  local m = redis.call('HMGET', meta, 'id', 'run', 'n', 'seq', 'since', 'seen', 'watch', 'ch')
  local now = timeOf(given)
  local why
  if not m[1] then why = 'gone'
  elseif m[1] ~= id then why = 'foreign'
  elseif m[2] ~= whoami() or tonumber(m[3]) < tonumber(known) then why = 'other'
  elseif given == '' and now < tonumber(m[6]) - ${GRACE} / 2 then why = 'other' end
  return { n = tonumber(m[3] or 0), seq = tonumber(m[4] or 0), since = tonumber(m[5] or 0), seen = tonumber(m[6] or 0),
    watch = m[7] or '', ch = m[8] or '0' }, now, why
end
local function alive(till, at) return till < 0 or till >= at end
local function refOf(seq) return string.format('entry/%016d', seq) end
`;

const code = COMMON + SUMS + LOOK + COMMIT + LEDGER + IMPORT;
/** Named by what it is, so that brokers of two versions work side by side on one server. */
const stamp = createHash('sha256').update(code).digest('hex').slice(0, 16);
const READS = new Set<string>(['look', 'scan', 'tail', 'changes', 'heads', 'carried', 'members']);
const NAMES = [
  'commit',
  'look',
  'scan',
  'tail',
  'changes',
  'heads',
  'admit',
  'seal',
  'close',
  'noted',
  'watch',
  'tidy',
  'trim',
  'movein',
  'carry',
  'carried',
  'members',
  'moved',
] as const;
export type Name = (typeof NAMES)[number];
export const isRead = (name: Name): boolean => READS.has(name);
export const functionOf = (name: Name): string => `countersign_${stamp}_${name}`;
export const LIBRARY = `#!lua name=countersign_${stamp}
${code}
${NAMES.map(
  (name) =>
    `redis.register_function{ function_name = '${functionOf(name)}', callback = ${name}${READS.has(name) ? ", flags = { 'no-writes' }" : ''} }`,
).join('\n')}
`;
