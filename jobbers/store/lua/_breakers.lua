-- Breakers: gates that ask how attempts have ended lately. Put before every script, between `_lib.lua` and `_gates.lua`.
--
-- A breaker's name begins with '!'. It is closed; or it is in K.tripped, with the ms until which it is open as its score,
-- and from then on half-open: so many permits as it has probes are given out, and how those attempts end decides. While it
-- is closed nobody holds a permit, and asking costs one read.

-- Tripped by hand, without an end.
local FOR_EVER = 9000000000000000

-- What has been half-open for so many ms without an end of a probe is asked for no more.
local FORGOTTEN = 86400000

-- What a breaker says: `share` of a million attempts that failed, of at least `of` within `window` ms, open it for `open` ms.
local guards = {}

local function guard(name)
  local base = string.match(name, '^!([^=]*)') or ''
  local found = guards[base]
  if not found then
    local share, of, window, open, probes =
      string.match(on(K.breakers, 'HGET', base) or '', '^(%d+) (%d+) (%d+) (%d+) (%d+)')
    found = {share = tonumber(share) or 500000, of = tonumber(of) or 20, window = tonumber(window) or 60000,
      open = tonumber(open) or 30000, probes = tonumber(probes) or 1}
    guards[base] = found
  end
  return found
end

-- Two counts within a window that slides by tenths of itself; 'tenth first second' is kept of each. Adds to them, and
-- returns the sums.
local function tallied(name, window, now, first, second)
  local tenth = math.floor(now / math.max(1, window / 10))
  local kept, firsts, seconds = {}, first, second
  for at, one, two in string.gmatch(on(name, 'GET') or '', '(%d+) (%d+) (%d+)') do
    at, one, two = tonumber(at), tonumber(one), tonumber(two)
    if at > tenth - 10 and at <= tenth then
      firsts, seconds = firsts + one, seconds + two
      if at == tenth then
        first, second = first + one, second + two
      else
        kept[#kept + 1] = whole(at) .. ' ' .. whole(one) .. ' ' .. whole(two)
      end
    end
  end
  kept[#kept + 1] = whole(tenth) .. ' ' .. whole(first) .. ' ' .. whole(second)
  redis.call('SET', P .. name, table.concat(kept, ' '), 'PX', whole(math.max(1, window)))
  return firsts, seconds
end

-- A retry budget looks back so many ms, and makes none wait longer than so many ms more.
local BUDGET_WINDOW = 60000

local LONGEST_STRETCH = 600000

-- Until when a breaker is open, in ms, which is past when it is half-open; nil when it is closed.
local function open_until(name)
  return tonumber(on(K.tripped, 'ZSCORE', name))
end

local function trip(name, till, now)
  on(K.tripped, 'ZADD', whole(till), name)
  redis.call('ZREMRANGEBYSCORE', P .. K.tripped, '-inf', whole(now - FORGOTTEN))
end

-- What the end of an attempt says of that which a breaker guards; nil if nothing. `cause` is that of fail.lua.
local function says(event, cause)
  if event == 'succeed' or cause == 'answered' then
    return 'well'
  elseif (event == 'fail' or event == 'retry' or event == 'reclaim') and cause ~= 'apart' then
    return 'ill'
  end
end

-- An attempt has ended behind a breaker; `probe` if it was one. Returns whether those in line are to be looked at. What
-- began before the breaker opened says nothing any more.
local function heard(name, how, probe, now)
  local till = how and open_until(name)
  if how and not till then
    local its = guard(name)
    local ended, failed = tallied(K.outcomes .. name, its.window, now, 1, how == 'ill' and 1 or 0)
    if ended >= its.of and failed * 1000000 >= ended * its.share then
      trip(name, now + its.open, now)
    end
  elseif how == 'well' and probe and till <= now then
    redis.call('ZREM', P .. K.tripped, name)
    redis.call('DEL', P .. K.outcomes .. name)
  elseif how and probe and till <= now then
    trip(name, now + guard(name).open, now)
  end
  return probe
end
