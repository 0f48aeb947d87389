/** The look inside Redis: many at once, of which one question is asked. */
export const LOOK = `
-- What stands in the keys from one on. Most are keys that were never there, and one question tells.
local function readAll(keys, from, raw)
  for first = from, #keys, 4000 do
    local last = math.min(first + 3999, #keys)
    if redis.call('EXISTS', unpack(keys, first, last)) > 0 then
      for i, value in ipairs(redis.call('MGET', unpack(keys, first, last))) do raw[keys[first + i - 1]] = value end
    end
  end
end

-- Many at once. keys: meta, then for each the keys looked for and two for each sum. argv: id, known, now, then for each how many keys, how many
-- sums, and the sums' windows.
local function look(keys, argv)
  local _, now, why = standing(keys[1], argv[1], argv[2], argv[3])
  if why then return { why } end
  local answers, known, k, a = { 'ok' }, {}, 2, 4
  readAll(keys, 2, known)
  while a <= #argv do
    local found, count, sums = { 'ok' }, tonumber(argv[a]), tonumber(argv[a + 1])
    for i = k, k + count - 1 do
      local raw = known[keys[i]]
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
