/**
 * The ledger inside Redis, and what the store does beside answering. Redis knows no SHA-256: a commit appends its entries as they are, under
 * the name of its broker's chain, and `seal` adds their hashes behind it, strictly in the order of the chain. Keys:
 *   log       stream: id `<seq>-0`; chain, body, the terms' hashes
 *   chain:<c> hash: `first` its first entry, `seq` and `hash` of its last sealed one, `noted` what another chain has noted of it,
 *             `note` its own last such entry and `real` the one before that was not, `closed`
 *   tail:<c>  list: `<seq> <time>` of the entries not yet sealed
 *   h:<c>     stream: id `<seq>-0`; the entry's hash
 *   chains    sorted set: every chain, by its first entry
 *   floor     hash: `seq` of the last entry that was exported and trimmed; for each chain its last trimmed one, `<seq> <hash>`
 *   ends      sorted set: keys with terms, by their end
 */
export const LEDGER = String.raw`
local function field(fields, name)
  for i = 1, #fields, 2 do if fields[i] == name then return fields[i + 1] end end
end
local function sealOf(tag, chain, seq)
  local row = redis.call('XRANGE', tag .. 'h:' .. chain, seq .. '-0', seq .. '-0')[1]
  return row and row[2][2] or ''
end
local function entryAt(log, seq)
  local row = redis.call('XRANGE', log, seq .. '-0', seq .. '-0')[1]
  return row and row[2]
end
local function addEntry(rows, tag, seq, fields)
  local chain = field(fields, 'c')
  for _, value in ipairs({ refOf(seq), 1, field(fields, 'b'), sealOf(tag, chain, seq), chain }) do rows[#rows + 1] = value end
end

-- keys: meta, log, the term or log. argv: id, known, now, after, limit, newest first. Rows of five: key, version, value, hash, chain.
-- The second of the answer is where to go on, or nothing at the end.
local function scan(keys, argv)
  local _, now, why = standing(keys[1], argv[1], argv[2], argv[3])
  if why then return { why } end
  local tag, after, limit, down = string.sub(keys[1], 1, -5), argv[4], tonumber(argv[5]), argv[6] == '1'
  local rows, last = { 'ok', '' }, nil
  if keys[3] == keys[2] then
    local found
    if down then found = redis.call('XREVRANGE', keys[2], after == '' and '+' or '(' .. after .. '-0', '-', 'COUNT', limit)
    else found = redis.call('XRANGE', keys[2], after == '' and '-' or '(' .. after .. '-0', '+', 'COUNT', limit) end
    for _, row in ipairs(found) do
      last = string.match(row[1], '^%d+')
      addEntry(rows, tag, tonumber(last), row[2])
    end
    if #found == limit then rows[2] = last end
    return rows
  end
  local found
  if down then found = redis.call('ZREVRANGEBYLEX', keys[3], after == '' and '+' or '(' .. after, '-', 'LIMIT', 0, limit)
  else found = redis.call('ZRANGEBYLEX', keys[3], after == '' and '-' or '(' .. after .. '\0\255', '+', 'LIMIT', 0, limit) end
  for _, ref in ipairs(found) do
    local seq = string.match(ref, '^entry/(%d+)$')
    if seq then
      local fields = entryAt(keys[2], tonumber(seq))
      if fields then addEntry(rows, tag, tonumber(seq), fields) end
      last = ref
    else
      local name, hash = string.match(ref, '^(%Z+)%z(.*)$')
      local raw = redis.call('GET', tag .. 'k:' .. hash)
      local version, till, value = 0, 0, ''
      if raw then version, till, value = cmsgpack.unpack(raw) end
      if version > 0 and alive(till, now) then
        for _, part in ipairs({ name, version, value, '', '' }) do rows[#rows + 1] = part end
      end
      last = name
    end
  end
  if #found == limit then rows[2] = last end
  return rows
end

-- keys: meta, log, chain, tail. argv: id, known, now, limit. Sealed seq and hash, closed; then seq, time and body of those that are not.
local function tail(keys, argv)
  local _, _, why = standing(keys[1], argv[1], argv[2], argv[3])
  if why then return { why } end
  local c = redis.call('HMGET', keys[3], 'seq', 'hash', 'closed')
  local rows = { 'ok', tonumber(c[1] or 0), c[2] or '', c[3] or '' }
  for _, item in ipairs(redis.call('LRANGE', keys[4], 0, tonumber(argv[4]) - 1)) do
    local seq, time = string.match(item, '(%d+) (%d+)')
    local fields = entryAt(keys[2], tonumber(seq))
    for _, value in ipairs({ tonumber(seq), tonumber(time), fields and field(fields, 'b') or '' }) do rows[#rows + 1] = value end
  end
  return rows
end
-- keys: meta, chain, tail, hashes. argv: id, known, now, seq and hash of the last sealed; then seq and hash of the next ones, in order.
local function seal(keys, argv)
  local _, _, why = standing(keys[1], argv[1], argv[2], argv[3])
  if why then return { why } end
  local c, count = redis.call('HMGET', keys[2], 'seq', 'hash'), (#argv - 5) / 2
  if tonumber(c[1] or 0) ~= tonumber(argv[4]) or (c[2] or argv[5]) ~= argv[5] then return { 'moved' } end
  for i, item in ipairs(redis.call('LRANGE', keys[3], 0, count - 1)) do
    if string.match(item, '^%d+') ~= argv[4 + 2 * i] then return { 'moved' } end
  end
  if redis.call('LLEN', keys[3]) < count then return { 'moved' } end
  for i = 1, count do redis.call('XADD', keys[4], argv[4 + 2 * i] .. '-0', 'h', argv[5 + 2 * i]) end
  redis.call('LTRIM', keys[3], count, -1)
  redis.call('HSET', keys[2], 'seq', argv[#argv - 1], 'hash', argv[#argv])
  return { 'ok' }
end
-- keys: meta, chain. No entry is appended to it any more.
local function close(keys, argv)
  local _, _, why = standing(keys[1], argv[1], argv[2], argv[3])
  if why then return { why } end
  if redis.call('EXISTS', keys[2]) == 1 then redis.call('HSET', keys[2], 'closed', 1) end
  return { 'ok' }
end
-- keys: meta, chains. argv: id, known, now, from the how manieth. Rows of six: chain, last sealed seq and hash, whether another chain should note
-- that, how many entries wait for their seal and since when.
local function heads(keys, argv)
  local _, _, why = standing(keys[1], argv[1], argv[2], argv[3])
  if why then return { why } end
  local tag, from, rows = string.sub(keys[1], 1, -5), tonumber(argv[4]), { 'ok' }
  for _, chain in ipairs(redis.call('ZRANGE', keys[2], from, from + 499)) do
    local c = redis.call('HMGET', tag .. 'chain:' .. chain, 'seq', 'hash', 'noted', 'note', 'real')
    local waits = redis.call('LINDEX', tag .. 'tail:' .. chain, 0)
    local since = waits and tonumber(string.match(waits, ' (%d+)')) or 0
    local count = redis.call('LLEN', tag .. 'tail:' .. chain)
    local seq, known = tonumber(c[1] or 0), tonumber(c[3] or 0)
    local fresh = (c[4] == c[1] and tonumber(c[5] or 0) or seq) > known
    for _, value in ipairs({ chain, seq, c[2] or '', fresh and 1 or 0, count, since }) do
      rows[#rows + 1] = value
    end
  end
  return rows
end
-- keys: meta, our chain, its hashes, then other chains. argv: id, known, now, the seq of our entry, then for each the seq that it noted.
local function noted(keys, argv)
  local _, _, why = standing(keys[1], argv[1], argv[2], argv[3])
  if why then return { why } end
  for i = 4, #keys do redis.call('HSET', keys[i], 'noted', argv[1 + i]) end
  -- What is nothing but a note is not worth another: else two idle brokers would note each other's notes for ever.
  local before = redis.call('XREVRANGE', keys[3], argv[4] .. '-0', '-', 'COUNT', 2)[2]
  local seq, c = before and string.match(before[1], '^%d+') or '0', redis.call('HMGET', keys[2], 'note', 'real')
  redis.call('HSET', keys[2], 'note', argv[4], 'real', seq == c[1] and c[2] or seq)
  return { 'ok' }
end

-- keys: meta, changes. argv: id, known, now, the last change that was read. Latest change; whether some are missing; their names.
local function changes(keys, argv)
  local meta, _, why = standing(keys[1], argv[1], argv[2], argv[3])
  if why then return { why } end
  local rows = redis.call('XRANGE', keys[2], '(' .. argv[4] .. '-0', '+', 'COUNT', 1000)
  local gap = rows[1] and field(rows[1][2], 'p') ~= argv[4] or (not rows[1] and meta.ch ~= argv[4])
  local told = { 'ok', #rows == 1000 and string.match(rows[1000][1], '^%d+') or meta.ch, gap and 1 or 0 }
  for _, row in ipairs(rows) do
    for name in string.gmatch(field(row[2], 'k'), '%Z+') do told[#told + 1] = name end
  end
  return told
end
-- keys: meta. argv: id, known, now, kind. From the answer's change on, changes of this kind are written down.
local function watch(keys, argv)
  local meta, _, why = standing(keys[1], argv[1], argv[2], argv[3])
  if why then return { why } end
  if not string.find(meta.watch, '\0' .. argv[4] .. '\0', 1, true) then
    redis.call('HSET', keys[1], 'watch', (meta.watch == '' and '\0' or meta.watch) .. argv[4] .. '\0')
  end
  return { 'ok', meta.ch }
end

-- keys: meta, ends. argv: id, known, now, limit. Takes ended keys out of their terms; answers how many, and since when the
-- memory is whole. Notes the time.
local function tidy(keys, argv)
  local meta, now, why = standing(keys[1], argv[1], argv[2], argv[3])
  if why then return { why } end
  local tag = string.sub(keys[1], 1, -5)
  local refs = redis.call('ZRANGEBYSCORE', keys[2], '-inf', now - 61, 'LIMIT', 0, tonumber(argv[4]))
  for _, ref in ipairs(refs) do
    local key = tag .. 'k:' .. string.match(ref, '^%Z+%z(.*)$')
    local raw = redis.call('GET', key)
    local fields = raw and { cmsgpack.unpack(raw) } or {}
    for i = 5, #fields do redis.call('ZREM', tag .. 't:' .. fields[i], ref) end
    redis.call('ZREM', keys[2], ref)
    redis.call('DEL', key)
  end
  if now > meta.seen + 1 then redis.call('HSET', keys[1], 'seen', now) end
  return { 'ok', #refs, meta.since }
end
-- keys: meta, log, floor. argv: id, known, now, through, limit. Answers how many entries went; 0 when none is left, or one is not sealed.
local function trim(keys, argv)
  local _, _, why = standing(keys[1], argv[1], argv[2], argv[3])
  if why then return { why } end
  local tag, last, count = string.sub(keys[1], 1, -5), nil, 0
  for _, row in ipairs(redis.call('XRANGE', keys[2], '-', argv[4] .. '-0', 'COUNT', tonumber(argv[5]))) do
    local seq, chain = tonumber(string.match(row[1], '^%d+')), field(row[2], 'c')
    local hash = sealOf(tag, chain, seq)
    if hash == '' then break end
    for term in string.gmatch(field(row[2], 't'), '%S+') do redis.call('ZREM', tag .. 't:' .. term, refOf(seq)) end
    redis.call('HSET', keys[3], 'seq', seq, 'c:' .. chain, seq .. ' ' .. hash)
    redis.call('XTRIM', tag .. 'h:' .. chain, 'MINID', (seq + 1) .. '-0')
    last, count = seq, count + 1
  end
  if last then redis.call('XTRIM', keys[2], 'MINID', (last + 1) .. '-0') end
  return { 'ok', count }
end

-- keys: meta. argv: the id known or nothing, known, now, an id for a new store, whether nothing can have been lost, the form.
-- The memory begins now unless nothing can have been lost: what was used up before, and is not in it, could be used again. Of a server that
-- is another one, or was restarted, only a broker that has known it can tell that it is not an older copy.
local function admit(keys, argv)
  local m = redis.call('HMGET', keys[1], 'id', 'run', 'n', 'since', 'seen', 'ch', 'form', 'history', 'salt')
  local now = timeOf(argv[3])
  -- Another one since a promotion, also of a process that was a master before; and now and then without one.
  local history = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
  if not m[1] then
    if argv[1] ~= '' then return { 'gone' } end
    redis.call('HSET', keys[1], 'id', argv[4], 'run', whoami(), 'n', 1, 'seq', 0, 'since', now + 1, 'seen', now, 'ch', 0, 'form', argv[6],
      'history', history)
    return { 'ok', argv[4], 1, now + 1, '0', 1, '' }
  end
  if argv[1] ~= '' and argv[1] ~= m[1] then return { 'foreign' } end
  if m[7] ~= argv[6] then return { m[7] == 'moving' and 'moving' or 'form' } end
  local n, since, known = tonumber(m[3]), tonumber(m[4]), tonumber(argv[2])
  local back = argv[3] == '' and now < tonumber(m[5]) - 30
  local other = m[2] ~= whoami() or m[8] ~= history
  local lost = n < known or back or (other and (argv[5] ~= '1' or known == 0))
  if lost then since = math.max(since, now + 1) end
  if lost or other then
    redis.call('HSET', keys[1], 'run', whoami(), 'history', history, 'n', math.max(n, known), 'since', since, 'seen', back and now or math.max(now, tonumber(m[5])))
  end
  return { 'ok', m[1], math.max(n, known), since, m[6], lost and 1 or 0, m[9] or '' }
end
`;
