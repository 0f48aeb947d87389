/**
 * The commit inside Redis. What an exchange claims is mostly that some keys are absent, and that some are and shall then be there:
 * of such claims one question is asked for all batches of a call, and nothing is made in Lua that need not be. A commit costs the server what
 * it writes and as much again; measured with `npm run bench -- --only brokers`.
 */
/** What has ended stays this long, so that a clock that steps back finds it. Seconds. */
export const GRACE = 60;
/** A broker's clock may be so much ahead of the server's. Seconds. */
const AHEAD = 10;
/** So many changes are kept for followers that were away; who missed more is told that anything may have changed. */
const CHANGES = 20_000;

/** The place of an absent key among those of a call is one character, from this one on and of those that are one byte: so many at most. */
export const FIRST = 1;
export const MOST_ABSENT = 120;

export const COMMIT = String.raw`
-- What one call has decided and not written yet: most of what a write costs is that it is one. Its batches see in raw what the ones before
-- them leave. A word that many of them share is made into a number, or into bytes, once.
local function newDesk(keys, meta, now)
  return { keys = keys, meta = meta, now = now, tag = string.sub(keys[1], 1, -5), raw = {}, chains = {}, numbers = {}, packs = {}, lives = {},
    watched = {}, sets = {}, writes = {}, changes = {}, entries = {}, sums = {} }
end
local function numberOf(desk, word)
  local value = desk.numbers[word]
  if not value then
    value = tonumber(word)
    desk.numbers[word] = value
  end
  return value
end
-- How long Redis keeps what ends then, as a word.
local function lifeOf(desk, till)
  local life = desk.lives[till]
  if not life then
    life = string.format('%d', math.max(1, till - desk.now + ${GRACE}))
    desk.lives[till] = life
  end
  return life
end
local function endsAt(till) return till >= 0 and till < 1e11 end
local function readKey(desk, key, at)
  local raw = desk.raw[key]
  if not raw then return { version = 0, terms = {} } end
  local fields = { cmsgpack.unpack(raw) }
  local held = { version = fields[1], value = fields[3], name = fields[4], terms = {} }
  for i = 5, #fields do held.terms[#held.terms + 1] = fields[i] end
  if not alive(fields[2], at) then held.version, held.value = 0, nil end
  return held
end
local function put(desk, key, packed, till)
  local sets = desk.sets
  local n = #sets
  desk.raw[key] = packed
  sets[n + 1], sets[n + 2], sets[n + 3] = key, packed, endsAt(till) and lifeOf(desk, till)
end
local function writeKey(desk, key, held)
  local next = held.next
  if #next.terms == 0 and #held.terms == 0 then return put(desk, key, cmsgpack.pack(next.version, next.till, next.value), next.till) end
  local ref, keep, tag, ended = held.name .. '\0' .. string.sub(key, #desk.tag + 3), {}, desk.tag, desk.keys[5]
  if #next.terms == 0 then put(desk, key, cmsgpack.pack(next.version, next.till, next.value), next.till)
  else put(desk, key, cmsgpack.pack(next.version, next.till, next.value, held.name, unpack(next.terms)), -1) end
  for _, term in ipairs(next.terms) do keep[term] = true end
  desk.writes[#desk.writes + 1] = function()
    for _, term in ipairs(held.terms) do
      if not keep[term] then redis.call('ZREM', tag .. 't:' .. term, ref) end
    end
    for _, term in ipairs(next.terms) do redis.call('ZADD', tag .. 't:' .. term, 0, ref) end
    if #next.terms > 0 and endsAt(next.till) then redis.call('ZADD', ended, next.till, ref) else redis.call('ZREM', ended, ref) end
  end
end
local function isWatched(desk, name)
  local kind, watch = string.match(name, '^[^/]*/') or '', desk.meta.watch
  local is = desk.watched[kind]
  if is == nil then
    is = (string.find(watch, '\0' .. kind .. '\0', 1, true) or string.find(watch, '\0*\0', 1, true)) ~= nil
    desk.watched[kind] = is
  end
  return is
end

-- Numbers first of all, so that none is ever given twice.
local function settle(desk)
  if not desk.dirty then return end
  local meta, keys, sets, entries = desk.meta, desk.keys, desk.sets, desk.entries
  redis.call('HSET', keys[1], 'n', meta.n, 'seq', meta.seq, 'seen', meta.seen, 'ch', meta.ch)
  for _, change in ipairs(desk.changes) do redis.call('XADD', keys[3], 'MAXLEN', '~', ${CHANGES}, change[1] .. '-0', 'p', change[2], 'k', change[3]) end
  for i = 1, #sets, 3 do
    if sets[i + 2] then redis.call('SET', sets[i], sets[i + 1], 'EX', sets[i + 2]) else redis.call('SET', sets[i], sets[i + 1]) end
  end
  for _, write in ipairs(desk.writes) do write() end
  for _, sum in ipairs(desk.sums) do writeSum(sum) end
  for _, chain in pairs(desk.chains) do
    if chain.begins then
      redis.call('HSET', chain.key, 'first', chain.begins)
      redis.call('ZADD', keys[4], chain.begins, chain.name)
      chain.begins = nil
    end
  end
  for i = 1, #entries, 4 do
    local seq, chain, terms = string.format('%d', entries[i]), entries[i + 1], entries[i + 3]
    local ref = 'entry/' .. string.rep('0', 16 - #seq) .. seq
    for t = 1, #terms, 33 do redis.call('ZADD', desk.tag .. 't:' .. string.sub(terms, t, t + 31), '0', ref) end
    redis.call('XADD', keys[2], seq .. '-0', 'c', chain.name, 'b', entries[i + 2], 't', terms)
    chain.tail[#chain.tail + 1] = seq .. ' ' .. desk.time
  end
  for _, chain in pairs(desk.chains) do
    for from = 1, #chain.tail, 4000 do redis.call('RPUSH', chain.tailKey, unpack(chain.tail, from, math.min(from + 3999, #chain.tail))) end
    chain.tail = {}
  end
  desk.sets, desk.writes, desk.changes, desk.entries, desk.sums, desk.dirty = {}, {}, {}, {}, {}, false
end
local function chainOf(desk, name)
  local chain = desk.chains[name]
  if not chain then
    local key = desk.tag .. 'chain:' .. name
    local row = redis.call('HMGET', key, 'closed', 'first')
    chain = { name = name, key = key, tailKey = desk.tag .. 'tail:' .. name, closed = row[1], first = row[2], tail = {} }
    desk.chains[name] = chain
  end
  return chain
end
local function headOf(desk, word)
  local head = desk.heads and desk.heads[word]
  if not head then
    local at, notAfter, absent, fresh, others, sums, entries, chain = string.match(word, '^(%S+) (%S+) (%d+) (%d+) (%d+) (%d+) (%d+) (%S+)$')
    head = { at = tonumber(at), notAfter = tonumber(notAfter), absent = tonumber(absent), fresh = tonumber(fresh), others = tonumber(others),
      sums = tonumber(sums), entries = tonumber(entries), chain = chain }
    desk.heads = desk.heads or {}
    desk.heads[word] = head
  end
  return head
end

-- One batch: its keys from k on are those of its claims, in order; its words from a on are its head, where the keys stand that it claims to be
-- absent, if there are any, then those of its other claims and its entries, in order. Four kinds of claims: keys that are absent; that are
-- absent and set; others; sums. Answers with the places
-- of all that do not hold; -1 - place where nothing is wrong but that this memory does not reach back to when the claim's matter was issued.
local function decide(desk, given, head, keys, argv, k, a)
  local meta, now, raw, since = desk.meta, desk.now, desk.raw, desk.meta.since
  if now > head.notAfter then return { 'late' } end
  if not given and head.at > now + ${AHEAD} then return { 'ahead' } end
  local judged, entries = math.min(head.at, now), head.entries
  local failed, held, order, sums, sumOrder
  local function fails(i)
    failed = failed or { 'no' }
    failed[#failed + 1] = i
  end
  if head.absent > 0 then
    for i, place in ipairs({ string.byte(argv[a + 1], 1, -1) }) do
      local key = keys[desk.absent + place]
      if raw[key] and readKey(desk, key, judged).version ~= 0 then fails(i - 1) end
    end
    a = a + 1
  end
  local freshKeys, freshWords = k, a + 1
  for i = 0, head.fresh - 1 do
    local key = keys[k + i]
    local it = raw[key] and readKey(desk, key, judged)
    if it and it.version ~= 0 then fails(head.absent + i)
    elseif numberOf(desk, argv[a + 1 + 4 * i]) < since then fails(-1 - head.absent - i)
    elseif it then
      if #it.terms > 0 then
        -- It has ended, and its terms still name it.
        held, order = held or {}, order or {}
        held[key], order[#order + 1] = it, key
        it.name, it.told = argv[a + 2 + 4 * i], true
        it.next = { version = 1, value = argv[a + 3 + 4 * i], till = numberOf(desk, argv[a + 4 + 4 * i]), terms = {} }
      end
    end
  end
  k, a = k + head.fresh, a + 1 + 4 * head.fresh
  for i = head.absent + head.fresh, head.absent + head.fresh + head.others - 1 do
    held, order = held or {}, order or {}
    local key, version, issued, holds = keys[k], tonumber(argv[a + 1]), tonumber(argv[a + 2]), nil
    local it = held[key] or readKey(desk, key, judged)
    held[key] = it
    if argv[a] == 'c' then
      holds = it.version == version
      k, a = k + 1, a + 3
    else
      local value, till, terms = argv[a + 4], tonumber(argv[a + 5]), tonumber(argv[a + 6])
      local same = argv[a] == 'o' and it.version > 0 and it.value == value
      holds = it.version == version or same
      if holds and issued >= since and it.version == version then
        if not it.next then order[#order + 1] = key end
        it.name, it.value, it.version = argv[a + 3], value, version + 1
        it.next = { version = version + 1, value = value, till = till, terms = {} }
        for t = 1, terms do it.next.terms[t] = string.sub(keys[k + t], #desk.tag + 3) end
        if not alive(till, judged) then it.version, it.value = 0, nil end
      end
      k, a = k + 1 + terms, a + 7
    end
    if not holds then fails(i) elseif issued < since then fails(-1 - i) end
  end
  for i = 1, head.sums do
    sums, sumOrder = sums or {}, sumOrder or {}
    local s = keys[k]
    if not sums[s] then
      sums[s] = openSum(s, keys[k + 1], keys[k + 2], judged, now)
      sumOrder[#sumOrder + 1] = sums[s]
    end
    if not sumHolds(sums[s], argv[a], tonumber(argv[a + 1]), tonumber(argv[a + 2]), tonumber(argv[a + 3]), tonumber(argv[a + 4])) then
      fails(head.absent + head.fresh + head.others + i - 1)
    end
    k, a = k + 3, a + 5
  end
  if failed then return failed end
  local chain
  if entries > 0 then
    chain = chainOf(desk, head.chain)
    if chain.closed then return { 'closed' } end
    if not chain.first then chain.first, chain.begins = meta.seq + 1, meta.seq + 1 end
  end

  local first, names = meta.seq + 1, meta.watch ~= '' and {} or nil
  meta.n, meta.seq, meta.seen, desk.dirty = meta.n + 1, meta.seq + entries, math.max(now, meta.seen), true
  for i = 0, head.fresh - 1 do
    local key, w = keys[freshKeys + i], freshWords + 4 * i
    local name, value, till = argv[w + 1], argv[w + 2], argv[w + 3]
    if not (held and held[key]) then
      local packed
      if #value < 16 then
        packed = desk.packs[till .. value]
        if not packed then
          packed = cmsgpack.pack(1, tonumber(till), value)
          desk.packs[till .. value] = packed
        end
      else
        packed = cmsgpack.pack(1, numberOf(desk, till), value)
      end
      put(desk, key, packed, numberOf(desk, till))
    end
    if names and isWatched(desk, name) then names[#names + 1] = name end
  end
  for _, key in ipairs(order or {}) do
    local name = held[key].name
    if names and not held[key].told and isWatched(desk, name) then names[#names + 1] = name end
    writeKey(desk, key, held[key])
  end
  if names and #names > 0 then
    desk.changes[#desk.changes + 1] = { meta.n, meta.ch, table.concat(names, '\0') }
    meta.ch = meta.n
  end
  local list = desk.entries
  for e = 0, entries - 1 do
    local n = #list
    list[n + 1], list[n + 2], list[n + 3], list[n + 4] = first + e, chain, argv[a], argv[a + 1]
    a = a + 2
  end
  if sumOrder then
    -- The next batch reads them from the server.
    desk.sums = sumOrder
    settle(desk)
  end
  return { 'ok', meta.n, first }
end
-- Many batches in one call, each decided on what the ones before it left.
-- keys: meta, log, changes, chains, ends, then theirs, then those that any of them claims to be absent. argv: id, known, now, how many the
-- last ones are, then for each batch how many keys and words it has, and those words.
local function commit(keys, argv)
  local meta, now, why = standing(keys[1], argv[1], argv[2], argv[3])
  if why then return { why } end
  local desk = newDesk(keys, meta, now)
  desk.time, desk.absent = string.format('%d', now), #keys - tonumber(argv[4]) - ${FIRST} + 1
  readAll(keys, 6, desk.raw)
  local answers, k, a = { 'ok' }, 6, 5
  while a <= #argv do
    answers[#answers + 1] = decide(desk, argv[3] ~= '', headOf(desk, argv[a + 2]), keys, argv, k, a + 2)
    k, a = k + numberOf(desk, argv[a]), a + 2 + numberOf(desk, argv[a + 1])
  end
  settle(desk)
  return answers
end
`;
