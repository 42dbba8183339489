-- What holds a task back although it is ready: limits, rates, breakers, and turns over keys. Put before every script, behind
-- `_breakers.lua`.
--
-- All hand out permits, and differ in when a permit comes back: that of a limit when the execution ends, and that of a probe
-- of a breaker; that of a rate some time after its start, that of a turn at the start. A permit is a member of its gate's set,
-- '<weight> <task>', with the score 'inf', or with the time at which it comes back by itself. Most weigh 1 and are counted by the
-- set; what others weigh beyond that is the score of the member '#', which is there only then. Who finds no permit stands in
-- the gate's line, blocked, until one is handed to it.
--
-- A record's `gates` are separated by commas: a letter, a number, a slash and the gate's name. The letter says when the gate is
-- asked: w on claim, and then b, which is a breaker; f for a turn, when the task would be laid into its lane; r, p and c when
-- it is submitted. The number is the weight, and of a turn how many of its key may lie in the lane.

local GATES = '(%l)(%d+)/([^,]+)'

-- Times of the clock lie between these; '#' and 'inf' do not.
local FIRST_TIME = '10000000000'

local LAST_TIME = '9000000000000000'

-- How many of a line go on in one call.
local AT_ONCE = 100

-- Modes that are asked before a lane, on submission, and on claim.
local TURNS = 'f'

local ON_SUBMIT = 'rpc'

local ON_CLAIM = 'bwrpc'

-- What a gate allows: `max` in use at once; `per` how long a start counts, in ms, or 0; `step` if starts come back one by one.
local definitions = {}

local function definition(name)
  local base = string.match(name, '^[^=]+')
  local found = definitions[base]
  if not found then
    local text = on(K.limits, 'HGET', base) or on(K.limits, 'HGET', string.match(base, '^[^@]*@?')) or ''
    local amount, per, burst = string.match(text, '^(%d+) (%d+) (%d+)')
    amount, per, burst = tonumber(amount) or 1, tonumber(per) or 0, tonumber(burst) or 0
    if burst > 0 then
      found = {max = burst, per = per, step = per / amount}
    else
      found = {max = amount, per = per}
    end
    definitions[base] = found
  end
  return found
end

-- What a gate's permits weigh beyond 1 each has changed.
local function weigh(name, change)
  if change ~= 0 and tonumber(on(K.permits .. name, 'ZINCRBY', change, '#')) <= 0 then
    redis.call('ZREM', P .. K.permits .. name, '#')
  end
end

-- Forget the starts that count no more.
local function let_starts_go(name, now)
  local back = on(K.permits .. name, 'ZRANGEBYSCORE', FIRST_TIME, whole(now), 'LIMIT', 0, 1000)
  if #back > 0 then
    local extra = 0
    for _, permit in ipairs(back) do
      extra = extra + math.max(0, (tonumber(string.match(permit, '^%d+')) or 1) - 1)
    end
    redis.call('ZREM', P .. K.permits .. name, unpack(back))
    weigh(name, -extra)
  end
end

-- The weight that is in use, or nil if this permit is among those.
local function in_use_without(permit, name, per, now)
  if per > 0 then
    let_starts_go(name, now)
  end
  local scores = on(K.permits .. name, 'ZMSCORE', permit, '#')
  if not scores[1] then
    return redis.call('ZCARD', P .. K.permits .. name) + (scores[2] and scores[2] - 1 or 0)
  end
end

local function in_use(name, per, now)
  return in_use_without('', name, per, now)
end

-- Give a permit back if the task has it.
local function free(id, name, mode, weight)
  weight = mode == 'f' and 1 or tonumber(weight)
  if on(K.permits .. name, 'ZREM', whole(weight) .. ' ' .. id) == 0 then
    return false
  end
  weigh(name, 1 - weight)
  return true
end

-- Ask a breaker for a task: whether it goes on, and whether it needs a permit for that. One that was a probe and has not begun
-- is none any more when the breaker has opened again.
local function ask_breaker(id, name, now)
  local till = open_until(name)
  if not till then
    return true, false
  elseif till > now then
    free(id, name, 'b', '1')
    return false, false
  elseif on(K.permits .. name, 'ZSCORE', '1 ' .. id) then
    return true, false
  end
  return in_use(name, 0, now) < guard(name).probes, true
end

-- What this call knows of gates that it has asked: whether permits come back by themselves, and how much is left.
local by_time, room = {}, {}

-- Take every permit that a task lacks of the gates of some modes, or none. Returns the gate that has none left, if there is
-- one. What weighs more than the whole gate allows goes through it alone.
local function admit(id, gates, modes, now)
  local lacking = {}
  for mode, number, name in string.gmatch(gates, GATES) do
    if mode == 'b' and string.find(modes, mode, 1, true) then
      local open, needed = ask_breaker(id, name, now)
      if not open then
        return name
      elseif needed then
        lacking[#lacking + 1] = {name, '1 ' .. id, 1}
      end
    elseif string.find(modes, mode, 1, true) then
      local weight, max, per = tonumber(number), 0, 0
      if mode == 'f' then
        weight, max = 1, weight
      else
        local found = definition(name)
        max, per = found.max, found.per
      end
      by_time[name] = per > 0
      local permit = whole(weight) .. ' ' .. id
      local used = in_use_without(permit, name, per, now)
      if used then
        if used + math.min(weight, max) > max then
          return name
        end
        lacking[#lacking + 1] = {name, permit, weight, max - used - weight}
      end
    end
  end
  for _, one in ipairs(lacking) do
    redis.call('ZADD', P .. K.permits .. one[1], 'inf', one[2])
    weigh(one[1], one[3] - 1)
    room[one[1]] = one[4]
  end
end

-- Look at a gate again at some time, although nobody gives a permit back then: see promote.lua.
local function look_again(name, at)
  on(K.refill, 'ZADD', whole(at), name)
  if redis.call('ZRANGE', P .. K.refill, 0, 0)[1] == name then
    redis.call('PUBLISH', P .. K.bell, '')
  end
end

-- When the first start that a rate remembers counts no more, or a breaker becomes half-open, if there is a line that waits for
-- it.
local function look_when_back(name)
  if string.sub(name, 1, 1) == '!' then
    local till = open_until(name)
    if till and till < FOR_EVER and till > now_ms() and redis.call('EXISTS', P .. K.line .. name) == 1 then
      look_again(name, till)
    end
    return
  end
  local first = redis.call('ZRANGEBYSCORE', P .. K.permits .. name, FIRST_TIME, LAST_TIME, 'WITHSCORES', 'LIMIT', 0, 1)
  if first[2] and redis.call('EXISTS', P .. K.line .. name) == 1 then
    look_again(name, tonumber(first[2]))
  end
end

-- When a task was made, with a fraction of a ms that keeps those of one call in their order.
local function moment(created, order)
  return (tonumber(created) or 0) + math.min(order, 511) / 512
end

-- Stand in the line of a gate: higher priorities first, then who was made first. (Counted from 2023 on, so that a score has
-- room for the fraction.)
local function stand(id, name, lane, created)
  local place = (9 - (tonumber(string.sub(lane, -1)) or 0)) * 1e12 + (tonumber(created) or 0) - 1.7e12
  on(K.line .. name, 'ZADD', string.format('%.6f', place), id)
  on(K.gates, 'SADD', name)
  on(K.parked, 'HINCRBY', string.sub(lane, 1, -3), 1)
  if by_time[name] ~= false then
    look_when_back(name)
  end
end

-- `last` says whether nobody stands behind it, if that is known.
local function leave_line(id, name, lane, last)
  if on(K.line .. name, 'ZREM', id) == 1 then
    local queue = string.sub(lane, 1, -3)
    if on(K.parked, 'HINCRBY', queue, -1) <= 0 then
      redis.call('HDEL', P .. K.parked, queue)
    end
  end
  if last == nil then
    last = redis.call('EXISTS', P .. K.line .. name) == 0
  end
  if last then
    on(K.gates, 'SREM', name)
    on(K.refill, 'ZREM', name)
  end
end

-- Which gates a task has to pass that stands in the line of `name`.
local function ahead_of(name, gates)
  for mode, _, other in string.gmatch(gates, GATES) do
    if other == name then
      return mode == 'f' and TURNS or (mode == 'w' or mode == 'b') and ON_CLAIM or ON_SUBMIT
    end
  end
  return ON_CLAIM
end

local paused_queues = {}

local function is_paused(queue)
  if paused_queues[queue] == nil then
    paused_queues[queue] = on(K.paused, 'SISMEMBER', queue) == 1
  end
  return paused_queues[queue]
end

-- Let the first of a line go on, the `last` in it or not: into its lane with its permits, or into the line of another gate that
-- has none left. One whose queue is paused goes without permits, since it would keep them from others, and one whose run is
-- paused is held. Returns whether the line has moved.
local function let_one_on(id, name, last, now)
  local key = P .. K.task .. id
  local r = redis.pcall('HMGET', key, 'status', 'parked', 'gates', 'lane', 'created', 'run')
  if r[2] ~= name or not (r[1] and r[3] and r[4]) or not FROM.unblock[r[1]] then
    redis.call('ZREM', P .. K.line .. name, id) -- left behind: the record is the truth
    return true
  end
  local short
  local modes = ahead_of(name, r[3])
  local held = r[6] and redis.call('HGET', P .. K.task .. r[6], 'held')
  if not held and not is_paused(string.sub(r[4], 1, -3)) then
    short = admit(id, r[3], modes, now)
  end
  if short == name then
    if by_time[name] ~= false then
      look_when_back(name)
    end
    return false
  end
  leave_line(id, name, r[4], last)
  if short then
    redis.call('HSET', key, 'parked', short)
    stand(id, short, r[4], r[5])
    return true
  end
  redis.call('HDEL', key, 'parked')
  if held then
    redis.call('HSET', key, 'held', 1)
  else
    local lay = modes == TURNS and enqueue or enqueue_first
    redis.call('HSET', key, 'status', TO.unblock, 'entry', lay(r[4], id))
  end
  return true
end

-- A gate may have room: let those go on who stand in its line, as far as there are permits.
local function hand_over(name, now)
  for _ = 1, AT_ONCE do
    local first = on(K.line .. name, 'ZRANGE', 0, 1)
    room[name] = nil
    if not first[1] or not let_one_on(first[1], name, not first[2], now) then
      return
    elseif not first[2] then
      return
    elseif (room[name] or 1) <= 0 and not by_time[name] then
      return -- full again, so that it need not be asked
    end
  end
  look_again(name, now)
end

-- An execution has ended, or a task that never `ran` leaves its lane, with its turn: give back what it holds. With `over` also
-- what it got when it was submitted. Breakers hear `how` its attempt ended: 'well', 'ill', or nothing.
local function give_back(id, gates, over, now, ran, how)
  for mode, weight, name in string.gmatch(gates, GATES) do
    if mode == 'b' then
      if heard(name, how, free(id, name, mode, weight), now) then
        hand_over(name, now)
      end
    elseif (mode == 'w' or mode == 'f' and not ran or mode ~= 'f' and over) and free(id, name, mode, weight) then
      hand_over(name, now)
    end
  end
end

-- The same for an execution that has not ended its task; `record` has the fields of CLOSING.
local function stop(id, record, now, how)
  local gates = record[6] and redis.call('HGET', P .. K.task .. id, 'gates')
  if gates then
    give_back(id, gates, false, now, true, how)
  end
end

-- An execution starts: its turn passes to the next of its key, and rates remember the start. `start` tells it from others.
local function begin(id, gates, start, now)
  for mode, weight, name in string.gmatch(gates, GATES) do
    if mode == 'f' then
      if free(id, name, mode, weight) then
        hand_over(name, now)
      end
    elseif mode ~= 'b' then
      local found = definition(name)
      if found.per > 0 then
        local key, back = P .. K.permits .. name, now + found.per
        if found.step then -- as by the generic cell rate algorithm: a start comes back one step after the one before
          local last = redis.call('ZREVRANGEBYSCORE', key, LAST_TIME, FIRST_TIME, 'WITHSCORES', 'LIMIT', 0, 1)[2]
          back = math.max(now, tonumber(last) or 0) + math.ceil(found.step * weight)
        end
        redis.call('ZREM', key, weight .. ' ' .. id)
        redis.call('ZADD', key, whole(back), weight .. ' ' .. id .. ' ' .. start)
        redis.call('PEXPIRE', key, whole(back - now + 3600000))
        look_when_back(name)
      end
    end
  end
end

-- Stand in the line of the gate that has no permit left, with nothing in hand. A breaker may have opened after the task got
-- permits of limits in its lane.
local function park(id, key, name, lane, created, gates, now)
  redis.call('HSET', key, 'status', TO.park, 'parked', name)
  stand(id, name, lane, created)
  for mode, weight, other in string.gmatch(gates, GATES) do
    if (mode == 'f' or mode == 'w' and string.sub(name, 1, 1) == '!') and other ~= name and free(id, other, mode, weight) then
      hand_over(other, now)
    end
  end
end

-- Lay a task into its lane, or behind the others of its key if it is not its turn.
local function enter(id, key, lane, created, gates, event, now)
  local short = gates and string.find(gates, 'f%d') and admit(id, gates, TURNS, now)
  if short then
    park(id, key, short, lane, created, gates, now)
  else
    redis.call('HSET', key, 'status', event, 'entry', enqueue(lane, id))
  end
end
