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
import { IMPORT } from './store-redis-lua-import.ts';
import { LEDGER } from './store-redis-lua-ledger.ts';
import { SUMS } from './store-redis-lua-sums.ts';

/** What has ended stays this long, so that a clock that steps back finds it. Seconds. */
const GRACE = 60;
/** A broker's clock may be so much ahead of the server's. Seconds. */
const AHEAD = 10;
/** So many changes are kept for followers that were away; who missed more is told that anything may have changed. */
const CHANGES = 20_000;

const COMMON = String.raw`
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

const COMMIT = String.raw`
local function readKey(key, at)
  local raw = redis.call('GET', key)
  if not raw then return { version = 0, terms = {} } end
  local fields = { cmsgpack.unpack(raw) }
  local held = { version = fields[1], value = fields[3], name = fields[4], terms = {} }
  for i = 5, #fields do held.terms[#held.terms + 1] = fields[i] end
  if not alive(fields[2], at) then held.version, held.value = 0, nil end
  return held
end
local function writeKey(tag, ended, key, held, now)
  local next, ref = held.next, held.name .. '\0' .. string.sub(key, #tag + 3)
  local keep = {}
  for _, term in ipairs(next.terms) do keep[term] = true end
  for _, term in ipairs(held.terms) do
    if not keep[term] then redis.call('ZREM', tag .. 't:' .. term, ref) end
  end
  for _, term in ipairs(next.terms) do redis.call('ZADD', tag .. 't:' .. term, 0, ref) end
  local ends = next.till >= 0 and next.till < 1e11
  if #next.terms > 0 then
    redis.call('SET', key, cmsgpack.pack(next.version, next.till, next.value, held.name, unpack(next.terms)))
    if ends then redis.call('ZADD', ended, next.till, ref) else redis.call('ZREM', ended, ref) end
    return
  end
  if #held.terms > 0 then redis.call('ZREM', ended, ref) end
  local packed = cmsgpack.pack(next.version, next.till, next.value)
  if ends then redis.call('SET', key, packed, 'EX', math.max(1, next.till - now + ${GRACE}))
  else redis.call('SET', key, packed) end
end

-- One batch: its keys from k on are chain, tail and those of its claims and entries, in order; its words from a on are at, notAfter, chain,
-- how many claims, how many entries, then theirs, in order.
local function decide(meta, now, given, keys, argv, k, a)
  local tag, chainKey, tailKey = meta.tag, keys[k], keys[k + 1]
  local at, chain, claims, entries = tonumber(argv[a]), argv[a + 2], tonumber(argv[a + 3]), tonumber(argv[a + 4])
  if now > tonumber(argv[a + 1]) then return { 'late' } end
  if not given and at > now + ${AHEAD} then return { 'ahead' } end
  local judged = math.min(at, now)
  k, a = k + 2, a + 5
  local held, order, sums, sumOrder = {}, {}, {}, {}
  for i = 0, claims - 1 do
    local holds
    if argv[a] == 's' then
      local s = keys[k]
      if not sums[s] then
        sums[s] = openSum(s, keys[k + 1], keys[k + 2], judged, now)
        sumOrder[#sumOrder + 1] = sums[s]
      end
      holds = sumHolds(sums[s], argv[a + 1], tonumber(argv[a + 2]), tonumber(argv[a + 3]), tonumber(argv[a + 4]), tonumber(argv[a + 5]))
      k, a = k + 3, a + 6
    else
      local key, version = keys[k], tonumber(argv[a + 1])
      local it = held[key] or readKey(key, judged)
      held[key] = it
      if argv[a] == 'c' then
        holds = it.version == version and tonumber(argv[a + 2]) >= meta.since
        k, a = k + 1, a + 3
      else
        local issued, value, till, terms = tonumber(argv[a + 2]), argv[a + 4], tonumber(argv[a + 5]), tonumber(argv[a + 7])
        local same = argv[a] == 'o' and it.version > 0 and it.value == value
        holds = issued >= meta.since and (it.version == version or same)
        if holds and it.version == version then
          if not it.next then order[#order + 1] = key end
          it.name, it.value, it.version = argv[a + 3], value, version + 1
          it.next = { version = version + 1, value = value, till = till, terms = {}, kind = argv[a + 6] }
          for t = 1, terms do it.next.terms[t] = string.sub(keys[k + t], #tag + 3) end
          if not alive(till, judged) then it.version, it.value = 0, nil end
        end
        k, a = k + 1 + terms, a + 8
      end
    end
    if not holds then return { 'no', i } end
  end
  local begun
  if entries > 0 then
    local state = redis.call('HMGET', chainKey, 'closed', 'first')
    if state[1] then return { 'closed' } end
    begun = state[2]
  end
  for _, key in ipairs(order) do
    for _, term in ipairs(held[key].terms) do redis.call('EXISTS', tag .. 't:' .. term) end
  end

  local names, first = {}, meta.seq + 1
  for _, key in ipairs(order) do
    local it = held[key]
    if meta.watch ~= '' and (string.find(meta.watch, '\0' .. it.next.kind .. '\0', 1, true) or string.find(meta.watch, '\0*\0', 1, true)) then
      names[#names + 1] = it.name
    end
  end
  -- First of all, so that no number is ever given twice.
  local before = meta.ch
  meta.n, meta.seq, meta.seen = meta.n + 1, meta.seq + entries, math.max(now, meta.seen)
  if #names > 0 then
    meta.ch = meta.n
    redis.call('HSET', keys[1], 'n', meta.n, 'seq', meta.seq, 'seen', meta.seen, 'ch', meta.n)
    redis.call('XADD', keys[3], 'MAXLEN', '~', ${CHANGES}, meta.n .. '-0', 'p', before, 'k', table.concat(names, '\0'))
  else
    redis.call('HSET', keys[1], 'n', meta.n, 'seq', meta.seq, 'seen', meta.seen)
  end
  for _, key in ipairs(order) do writeKey(tag, keys[5], key, held[key], now) end
  for _, sum in ipairs(sumOrder) do writeSum(sum) end
  if entries > 0 and not begun then
    redis.call('HSET', chainKey, 'first', first)
    redis.call('ZADD', keys[4], first, chain)
  end
  for seq = first, meta.seq do
    local body, terms = argv[a], tonumber(argv[a + 1])
    local hashes = {}
    for t = 1, terms do
      hashes[t] = string.sub(keys[k], #tag + 3)
      redis.call('ZADD', keys[k], 0, refOf(seq))
      k = k + 1
    end
    redis.call('XADD', keys[2], seq .. '-0', 'c', chain, 'b', body, 't', table.concat(hashes, ' '))
    redis.call('RPUSH', tailKey, seq .. ' ' .. now)
    a = a + 2
  end
  return { 'ok', meta.n, first }
end
-- Many batches in one call, each decided on what the ones before it left.
-- keys: meta, log, changes, chains, ends, then theirs. argv: id, known, now, then for each how many keys and words it has, and those words.
local function commit(keys, argv)
  local meta, now, why = standing(keys[1], argv[1], argv[2], argv[3])
  if why then return { why } end
  meta.tag = string.sub(keys[1], 1, -5)
  local answers, k, a = { 'ok' }, 6, 4
  while a <= #argv do
    answers[#answers + 1] = decide(meta, now, argv[3] ~= '', keys, argv, k, a + 2)
    k, a = k + tonumber(argv[a]), a + 2 + tonumber(argv[a + 1])
  end
  return answers
end

-- Many at once. keys: meta, then for each the keys looked for and two for each sum. argv: id, known, now, then for each how many keys, how many
-- sums, and the sums' windows.
local function look(keys, argv)
  local _, now, why = standing(keys[1], argv[1], argv[2], argv[3])
  if why then return { why } end
  local answers, k, a = { 'ok' }, 2, 4
  while a <= #argv do
    local found, count, sums = { 'ok' }, tonumber(argv[a]), tonumber(argv[a + 1])
    for i = k, k + count - 1 do
      local raw = redis.call('GET', keys[i])
      local version, till, value = 0, 0, ''
      if raw then version, till, value = cmsgpack.unpack(raw) end
      if version == 0 or not alive(till, now) then version, value = 0, '' end
      found[#found + 1] = version
      found[#found + 1] = value
    end
    k, a = k + count, a + 2
    for _ = 1, sums do
      found[#found + 1] = number(sumAt(keys[k], keys[k + 1], tonumber(argv[a]), now))
      k, a = k + 2, a + 1
    end
    answers[#answers + 1] = found
  end
  return answers
end
`;

const code = COMMON + SUMS + COMMIT + LEDGER + IMPORT;
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
