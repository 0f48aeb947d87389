/**
 * How a store that stood in a file moves into Redis (store-redis-import.ts). While it is on its way `form` of meta is `moving`, so that no broker
 * takes it for a store, nor for nothing. Each call is all or nothing and says how far it has come:
 *   move  hash: `source` what is moved, `stage` and `cursor` what has arrived
 *   torn  stream: id `<seq>-0`; rows that a repair had set aside, with the hash that they had
 */
export const MOVING = 'moving';
/** As a commit does: what has ended stays this long, so that a clock that steps back finds it. Seconds. */
const GRACE = 60;

export const IMPORT = String.raw`
-- keys: meta, move. argv: an id for the store, what is moved. Whose move it is, and how far it has come.
local function movein(keys, argv)
  if redis.call('EXISTS', keys[1]) == 0 then
    redis.call('HSET', keys[1], 'id', argv[1], 'form', '${MOVING}')
    redis.call('HSET', keys[2], 'source', argv[2], 'stage', '', 'cursor', '')
  end
  local m, s = redis.call('HMGET', keys[1], 'id', 'form'), redis.call('HMGET', keys[2], 'source', 'stage', 'cursor')
  return { 'ok', m[1] or '', m[2] or '', s[1] or '', s[2] or '', s[3] or '' }
end
local function arriving(keys, id)
  local m = redis.call('HMGET', keys[1], 'id', 'form')
  return m[1] == id and m[2] == '${MOVING}'
end

-- keys: meta, move. argv: id, stage, cursor, chain, then what arrives:
--   e seq hash body terms…     an entry; terms: how many, and their hashes
--   t seq hash body            a row that was set aside
--   k hash version until value name terms…
--   m sum id amount at until ends
local function carry(keys, argv)
  if not arriving(keys, argv[1]) then return { 'foreign' } end
  local tag, now, chain, a = string.sub(keys[1], 1, -5), timeOf(''), argv[4], 5
  local function terms()
    local found = {}
    for i = 1, tonumber(argv[a]) do found[i] = argv[a + i] end
    a = a + 1 + #found
    return found
  end
  while a <= #argv do
    local what = argv[a]
    if what == 'e' then
      local seq, hash, body = argv[a + 1], argv[a + 2], argv[a + 3]
      a = a + 4
      local found = terms()
      if not entryAt(tag .. 'log', seq) then redis.call('XADD', tag .. 'log', seq .. '-0', 'c', chain, 'b', body, 't', table.concat(found, ' ')) end
      if not entryAt(tag .. 'h:' .. chain, seq) then redis.call('XADD', tag .. 'h:' .. chain, seq .. '-0', 'h', hash) end
      for _, term in ipairs(found) do redis.call('ZADD', tag .. 't:' .. term, 0, refOf(tonumber(seq))) end
    elseif what == 't' then
      if not entryAt(tag .. 'torn', argv[a + 1]) then redis.call('XADD', tag .. 'torn', argv[a + 1] .. '-0', 'h', argv[a + 2], 'b', argv[a + 3]) end
      a = a + 4
    elseif what == 'k' then
      local key, version, till, value, name = tag .. 'k:' .. argv[a + 1], tonumber(argv[a + 2]), tonumber(argv[a + 3]), argv[a + 4], argv[a + 5]
      a = a + 6
      local found, ref, ends = terms(), name .. '\0' .. string.sub(key, #tag + 3), till >= 0 and till < 1e11
      for _, term in ipairs(found) do redis.call('ZADD', tag .. 't:' .. term, 0, ref) end
      if #found > 0 then
        redis.call('SET', key, cmsgpack.pack(version, till, value, name, unpack(found)))
        if ends then redis.call('ZADD', tag .. 'ends', till, ref) end
      elseif ends then redis.call('SET', key, cmsgpack.pack(version, till, value), 'EX', math.max(1, till - now + ${GRACE}))
      else redis.call('SET', key, cmsgpack.pack(version, till, value)) end
    else
      local sum, id, ends = argv[a + 1], argv[a + 2], tonumber(argv[a + 6])
      redis.call('HSET', tag .. 'n:' .. sum, id, cmsgpack.pack(tonumber(argv[a + 3]), tonumber(argv[a + 4]), tonumber(argv[a + 5]), ends))
      redis.call('ZADD', tag .. 'x:' .. sum, ends, id)
      local last = tonumber(redis.call('ZREVRANGE', tag .. 'x:' .. sum, 0, 0, 'WITHSCORES')[2])
      for _, key in ipairs({ 'n:', 'x:' }) do redis.call('EXPIRE', tag .. key .. sum, math.max(1, last - now) + 3600 + 86400) end
      a = a + 7
    end
  end
  redis.call('HSET', keys[2], 'stage', argv[2], 'cursor', argv[3])
  return { 'ok' }
end

-- keys: meta, then keys. What stands there: rows of version, until, value, name, and the terms' hashes as one word; version 0: nothing.
local function carried(keys)
  local rows = { 'ok' }
  for i = 2, #keys do
    local raw = redis.call('GET', keys[i])
    local f = raw and { cmsgpack.unpack(raw) } or { 0, -1, '' }
    local found = {}
    for t = 5, #f do found[#found + 1] = f[t] end
    for _, value in ipairs({ f[1], f[2], f[3], f[4] or '', table.concat(found, ' ') }) do rows[#rows + 1] = value end
  end
  return rows
end
-- keys: meta, then a sum's members. argv: their ids. Rows of amount, time, until and end; an empty one: it is not there.
local function members(keys, argv)
  local rows = { 'ok' }
  for _, id in ipairs(argv) do
    local raw = redis.call('HGET', keys[2], id)
    if raw then
      local amount, at, till, ends = cmsgpack.unpack(raw)
      rows[#rows + 1] = number(amount) .. ' ' .. at .. ' ' .. till .. ' ' .. ends
    else rows[#rows + 1] = '' end
  end
  return rows
end

-- keys: meta, move, chains. argv: id, chain, seq and hash of its last entry, the first one's, the salt of names, the form. From now on it is a store.
local function moved(keys, argv)
  if not arriving(keys, argv[1]) then return { 'foreign' } end
  local tag, now = string.sub(keys[1], 1, -5), timeOf('')
  local history = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
  if tonumber(argv[3]) > 0 then
    redis.call('HSET', tag .. 'chain:' .. argv[2], 'first', argv[5], 'seq', argv[3], 'hash', argv[4], 'closed', 1)
    redis.call('ZADD', keys[3], tonumber(argv[5]), argv[2])
  end
  redis.call('HSET', keys[2], 'stage', 'done', 'cursor', '')
  -- Nothing that was used up is missing: this memory is as old as the one that it was.
  redis.call('HSET', keys[1], 'run', whoami(), 'history', history, 'n', 1, 'seq', argv[3], 'since', 0, 'seen', now, 'ch', 0, 'salt', argv[6], 'form', argv[7])
  return { 'ok' }
end
`;
