/**
 * Sums inside Redis: what store-sqlite-sums.ts does, in Lua. A sum has three keys:
 *   s  hash: `w` the windows it was ever claimed by; for each of them `<window>:t` the total of its parts, `<window>:lo` the second before
 *      which no part is left, `<window>:<ends>` a part, which is all the amounts that leave in one second; `end` when all of it may go
 *   n  hash: id → amount, time, until, last second in any window
 *   x  sorted set: id by that last second, to find what has ended
 * A claim reads the total and the parts that ended since the claim before: nothing grows with the population of a window.
 */
/** A broker's clock and a commit's way are behind by no more, or an amount that has ended since is no longer counted. Seconds. */
const LAG = 10;

export const SUMS = `
-- window.ts, to the letter.
local function lastSecond(at, till, span)
  local step = math.max(1, math.floor(span / 60))
  local last = at - at % step + step + span - 2
  if till >= 0 and till < last then return till end
  return last
end
local function counted(member, span, now)
  if member and lastSecond(member.at, member.till, span) >= now then return member.amount end
  return 0
end
local function memberOf(raw, now)
  if not raw then return nil end
  local amount, at, till, ends = cmsgpack.unpack(raw)
  if ends < now then return nil end
  return { amount = amount, at = at, till = till, ends = ends }
end
local function membersOf(key, now)
  local rows, members = redis.call('HGETALL', key), {}
  for i = 1, #rows, 2 do members[rows[i]] = memberOf(rows[i + 1], now) end
  return members
end

-- What a known window holds at a second: all but the parts that have ended by then. Those that ended before the floor may go.
local function windowAt(key, span, stored, lo, at, floor)
  local window = { total = stored, stored = stored, lo = lo, ended = {} }
  local function ends(field, second, amount)
    window.total = window.total - amount
    if second < floor then
      window.ended[#window.ended + 1] = field
      window.stored = window.stored - amount
    end
  end
  if at - lo <= 64 then
    local fields = {}
    for second = lo, at - 1 do fields[#fields + 1] = span .. ':' .. second end
    if #fields > 0 then
      for i, amount in ipairs(redis.call('HMGET', key, unpack(fields))) do
        if amount then ends(fields[i], lo + i - 1, tonumber(amount)) end
      end
    end
  else
    local all, start = redis.call('HGETALL', key), span .. ':'
    for i = 1, #all, 2 do
      local second = string.sub(all[i], 1, #start) == start and tonumber(string.sub(all[i], #start + 1))
      if second and second < at then ends(all[i], second, tonumber(all[i + 1])) end
    end
  end
  return window
end

-- Judged at a second that may lie a little behind: so long nothing that has ended is taken away.
local function openSum(s, n, x, judged, now)
  local spans, floor = {}, now - ${LAG}
  for span in string.gmatch(redis.call('HGET', s, 'w') or '', '%d+') do spans[#spans + 1] = tonumber(span) end
  return { s = s, n = n, x = x, now = math.max(judged, floor), floor = floor, spans = spans, windows = {}, members = {} }
end
-- A window that the sum was never claimed by is made from the members that are left; a refused batch leaves nothing of it.
local function windowOf(sum, span)
  local window = sum.windows[span]
  if window then return window end
  for _, known in ipairs(sum.spans) do
    if known == span then
      local row = redis.call('HMGET', sum.s, span .. ':t', span .. ':lo')
      window = windowAt(sum.s, span, tonumber(row[1] or 0), tonumber(row[2] or 0), sum.now, sum.floor)
    end
  end
  if not window then
    window = { total = 0, ended = {}, lo = sum.now, parts = {}, made = true }
    sum.all = sum.all or membersOf(sum.n, sum.now)
    for _, m in pairs(sum.all) do
      local ends = lastSecond(m.at, m.till, span)
      if ends >= sum.now then
        window.parts[ends] = (window.parts[ends] or 0) + m.amount
        window.total = window.total + m.amount
      end
    end
    sum.spans[#sum.spans + 1] = span
  end
  sum.windows[span] = window
  return window
end

-- Does the claim hold, after the batch's earlier ones? What does not raise the sum always holds: a release cannot be refused.
local function sumHolds(sum, id, amount, limit, span, till)
  local now, total = sum.now, windowOf(sum, span).total
  local staged = sum.members[id]
  if not staged then
    staged = { before = memberOf(redis.call('HGET', sum.n, id), now) }
    staged.after = staged.before
  end
  local own, after = staged.after, nil
  for _, other in pairs(sum.members) do total = total + counted(other.after, span, now) - counted(other.before, span, now) end
  if amount > 0 then after = { amount = amount, at = own and own.at or now, till = till } end
  local fits = amount < math.huge and total - counted(own, span, now) + amount <= limit
  if counted(after, span, now) > counted(staged.before, span, now) and not fits then return false end
  sum.members[id] = { before = staged.before, after = after }
  return true
end

local function number(value) return string.format('%.17g', value) end
local function writeSum(sum)
  local s, n, x, now, last = sum.s, sum.n, sum.x, sum.now, 0
  for _, span in ipairs(sum.spans) do
    local window = windowOf(sum, span)
    if window.made then
      for ends, amount in pairs(window.parts) do redis.call('HSET', s, span .. ':' .. ends, number(amount)) end
      redis.call('HSET', s, span .. ':t', number(window.total), span .. ':lo', now)
    elseif #window.ended > 0 or sum.floor - window.lo > 16 then
      for _, field in ipairs(window.ended) do redis.call('HDEL', s, field) end
      window.lo = math.max(window.lo, sum.floor)
      -- What adding and taking fractions leaves is nothing.
      local total = math.abs(window.stored) < 1e-9 and 0 or window.stored
      redis.call('HSET', s, span .. ':t', number(total), span .. ':lo', window.lo)
    end
  end
  if sum.all then
    redis.call('HSET', s, 'w', table.concat(sum.spans, ' '))
    for id, m in pairs(sum.all) do
      for span, window in pairs(sum.windows) do
        if window.made then m.ends = math.max(m.ends, lastSecond(m.at, m.till, span)) end
      end
      redis.call('HSET', n, id, cmsgpack.pack(m.amount, m.at, m.till, m.ends))
      redis.call('ZADD', x, m.ends, id)
      last = math.max(last, m.ends)
    end
  end
  for id, staged in pairs(sum.members) do
    local before, after, ends = staged.before, staged.after, 0
    for _, span in ipairs(sum.spans) do
      local from = math.max(now, sum.windows[span].lo)
      local left = before and lastSecond(before.at, before.till, span)
      if left and left >= from then
        redis.call('HINCRBYFLOAT', s, span .. ':' .. left, number(-before.amount))
        redis.call('HINCRBYFLOAT', s, span .. ':t', number(-before.amount))
      end
      local leaves = after and lastSecond(after.at, after.till, span)
      if leaves and leaves >= from then
        redis.call('HINCRBYFLOAT', s, span .. ':' .. leaves, number(after.amount))
        redis.call('HINCRBYFLOAT', s, span .. ':t', number(after.amount))
        ends = math.max(ends, leaves)
      end
    end
    if after and ends > 0 then
      redis.call('HSET', n, id, cmsgpack.pack(after.amount, after.at, after.till, ends))
      redis.call('ZADD', x, ends, id)
      last = math.max(last, ends)
    elseif before then
      redis.call('HDEL', n, id)
      redis.call('ZREM', x, id)
    end
  end
  local old = redis.call('ZRANGEBYSCORE', x, '-inf', sum.floor - 1, 'LIMIT', 0, 4)
  if #old > 0 then
    redis.call('HDEL', n, unpack(old))
    redis.call('ZREM', x, unpack(old))
  end
  -- A day more than needed, so that no leap of the server's clock empties a budget; an hour more, so that it is not set at every claim.
  if last > tonumber(redis.call('HGET', s, 'end') or 0) then
    redis.call('HSET', s, 'end', last + 3600)
    for _, key in ipairs({ s, n, x }) do redis.call('EXPIRE', key, last - now + 3600 + 86400) end
  end
end

local function sumAt(s, n, span, now)
  local row = redis.call('HMGET', s, span .. ':t', span .. ':lo')
  if row[1] then return windowAt(s, span, tonumber(row[1]), tonumber(row[2] or 0), now, 0).total end
  local total = 0
  for _, m in pairs(membersOf(n, now)) do total = total + counted(m, span, now) end
  return total
end
`;
