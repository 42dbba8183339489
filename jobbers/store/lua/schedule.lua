-- Write, pause, resume or delete one schedule.
-- KEYS  1 shard prefix
-- ARGV  1 create, replace, pause, resume or delete, 2 name; to create or replace: 3 definition, 4 envelope, 5 next slot or '',
--       6 when to look at it or 'inf', 7 a name of this call; to resume: 3 next slot or '', 4 when to look at it or 'inf'
-- REPLY what became of it: made, changed, same (it was so already), taken (create: there is another), done, none (no such)
local verb, name = ARGV[1], ARGV[2]
local key = P .. K.schedule .. name
local known = redis.call('HMGET', key, 'turn', 'spec', 'env', 'paused', 'call', 'waiting')

-- When it is looked at next; the promoter is rung when no schedule comes earlier. Paused ones never are.
local function plan(when)
  redis.call('ZADD', P .. K.schedules, when, name)
  if redis.call('ZRANGE', P .. K.schedules, 0, 0)[1] == name then
    redis.call('PUBLISH', P .. K.bell, '')
  end
end

-- Whoever has seen an earlier turn, also of a schedule of this name that was deleted, may do nothing by it: so turns begin at
-- the microseconds of the clock, which a schedule that is fired cannot overtake.
local function next_turn()
  local time = redis.call('TIME')
  return whole(math.max(time[1] * 1000000 + time[2], (tonumber(known[1] or '') or 0) + 1))
end

if verb == 'create' or verb == 'replace' then
  if known[1] and known[5] == ARGV[7] then
    return 'made'
  end
  if known[1] and verb == 'create' then
    return 'taken'
  end
  if known[1] and known[2] == ARGV[3] and known[3] == ARGV[4] then
    if not redis.call('ZSCORE', P .. K.schedules, name) then
      plan(known[4] and 'inf' or ARGV[6])
    end
    return 'same'
  end
  redis.call('HSET', key, 'turn', next_turn(), 'spec', ARGV[3], 'env', ARGV[4], 'slot', ARGV[5], 'waiting', '',
    'call', ARGV[7])
  plan(known[4] and 'inf' or ARGV[6])
  return known[1] and 'changed' or 'made'
end
if not known[1] then
  redis.call('ZREM', P .. K.schedules, name)
  return 'none'
end
if verb == 'delete' then
  redis.call('DEL', key)
  redis.call('ZREM', P .. K.schedules, name)
elseif verb == 'pause' then
  redis.call('HSET', key, 'turn', next_turn(), 'paused', 1)
  plan('inf')
elseif known[4] then
  redis.call('HDEL', key, 'paused')
  redis.call('HSET', key, 'turn', next_turn(), 'slot', ARGV[3])
  plan(known[6] and known[6] ~= '' and whole(now_ms()) or ARGV[4])
end
return 'done'
