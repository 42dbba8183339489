-- Create tasks like submit.lua that have gates; a script of its own, so that others need not carry all that may follow.
-- KEYS  1 shard prefix
-- ARGV  1 to 8 as for submit.lua, 9 ms for which records stay that are cancelled to make room, then for each task: id,
--       envelope, gates
-- REPLY as that of submit.lua; or '' and the gate that has not as many permits left as the tasks would need at once: then
--       nothing was created
local lane, kind = ARGV[1], ARGV[2]
local delay, due, deadline = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local unique, scope, ttl = ARGV[6], ARGV[7], tonumber(ARGV[8])
local now = now_ms()
local created = whole(now)
local held, tally, recent = {}, {}, {}
if due == 0 and delay > 0 then
  due = now + delay
end

-- The gate that refuses, if there is one: r asks for all new tasks together.
local function refusal()
  local asked = {}
  for i = 10, #ARGV, 3 do
    if redis.call('EXISTS', P .. K.task .. ARGV[i]) == 0 then
      for mode, weight, name in string.gmatch(ARGV[i + 2], GATES) do
        if mode == 'r' then
          local gate = definition(name)
          asked[name] = (asked[name] or 0) + tonumber(weight)
          if in_use(name, gate.per, now) + asked[name] > gate.max then
            return name
          end
        end
      end
    end
  end
end

local function cancel_for(id, other)
  cancel_task(other, 'task ' .. id .. ' took its place', id, created, ARGV[9], tally, recent)
end

-- Where a task takes the place of others: p that of those that wait, c that of those that were there first.
local function make_room(id, gates)
  for mode, _, name in string.gmatch(gates, GATES) do
    if mode == 'p' then
      for _, other in ipairs(on(K.line .. name, 'ZRANGE', 0, AT_ONCE)) do
        cancel_for(id, other)
      end
    elseif mode == 'c' then
      local gate = definition(name)
      local excess = in_use(name, gate.per, now) + 1 - gate.max
      local first = excess > 0
        and redis.call('ZRANGEBYSCORE', P .. K.permits .. name, 'inf', 'inf', 'LIMIT', 0, whole(excess)) or {}
      for _, permit in ipairs(first) do
        cancel_for(id, string.match(permit, '%S+$'))
      end
    end
  end
end

local refused, limit = rules_of_queue(lane, 10, 3, unique, scope, due > now)
if refused then
  return {refused}
end
local full = refusal()
if full then
  return {'', full}
end
for i = 10, #ARGV, 3 do
  local id, gates = ARGV[i], ARGV[i + 2]
  local key = P .. K.task .. id
  if redis.call('EXISTS', key) == 0 then
    local holder = unique ~= '' and holder_of(unique, scope, id)
    if holder then
      held[#held + 1] = id
      held[#held + 1] = holder
    else
      redis.call('HSET', key, 'type', kind, 'lane', lane, 'created', created,
        unpack(particulars(id, ARGV[i + 1], now, deadline, unique, scope, ttl, gates)))
      make_room(id, gates)
      local short = admit(id, gates, ON_SUBMIT, now)
      if short then
        park(id, key, short, lane, moment(created, (i - 10) / 3), gates, now)
      elseif due > now then
        redis.call('HSET', key, 'status', 'scheduled', 'due', whole(due))
        schedule(id, due)
      else
        enter(id, key, lane, moment(created, (i - 10) / 3), gates, TO.unblock, now)
      end
    end
  end
end
remember(recent)
keep_counts(tally, now)
if limit and queue_length(string.sub(lane, 1, -3)) > limit then
  held[#held + 1] = 'over'
end
return held
