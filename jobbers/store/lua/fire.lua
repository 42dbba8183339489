-- Start what schedules have come to, each with its next slot at once, and tell of the schedules that are due.
-- KEYS  1 shard prefix
-- ARGV  1 of how many due schedules to tell, then for each schedule: its name, the turn that was seen, its next slot or '',
--       when to look at it again or 'inf', the slots that wait, the slot started last or '', the id that this has,
--       how many slots were passed over, how many starts, and for each start the number of its words and the words: five for
--       a task (id, type, lane, start deadline in ms or 0, its gates or ''), else a run as `launch` takes it
-- REPLY 1 now, 2 ms until the next schedule is due, or -1, 3 the schedules that had moved since they were seen, of which
--       nothing was done, 4 for each due schedule: name, turn, definition, envelope, slot, slots that wait, the id started
--       last and its status ('' for none)
local now = now_ms()

local function start_task(id, kind, lane, deadline, gates, envelope)
  local key = P .. K.task .. id
  if redis.call('EXISTS', key) == 1 then
    return
  end
  local extra = particulars(id, envelope, now, deadline, '', '', 0, gates)
  redis.call('HSET', key, 'type', kind, 'lane', lane, 'created', whole(now), unpack(extra))
  enter(id, key, lane, whole(now), gates, TO.unblock, now)
end

local refused, due = {}, {}
local i = 2
while i <= #ARGV do
  local name = ARGV[i]
  local key = P .. K.schedule .. name
  local known = redis.pcall('HMGET', key, 'turn', 'env')
  local mine = known[1] == ARGV[i + 1]
  local starts = tonumber(ARGV[i + 8])
  local at = i + 9
  for _ = 1, starts do
    local words = tonumber(ARGV[at])
    if mine and words == 5 then
      start_task(ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], tonumber(ARGV[at + 4]), ARGV[at + 5],
        known[2] or '')
    elseif mine then
      launch_run(at + 1, at + words)
    end
    at = at + words + 1
  end
  if mine then
    redis.call('HSET', key, 'turn', whole(known[1] + 1), 'slot', ARGV[i + 2], 'waiting', ARGV[i + 4])
    if starts > 0 then
      redis.call('HSET', key, 'last_slot', ARGV[i + 5], 'last', ARGV[i + 6])
      redis.call('HINCRBY', key, 'started', starts)
    end
    if ARGV[i + 7] ~= '0' then
      redis.call('HINCRBY', key, 'passed', ARGV[i + 7])
    end
    redis.call('ZADD', P .. K.schedules, ARGV[i + 3], name)
  else
    refused[#refused + 1] = name
  end
  i = at
end

for _, name in ipairs(redis.call('ZRANGEBYSCORE', P .. K.schedules, '-inf', whole(now), 'LIMIT', 0, ARGV[1])) do
  local known = redis.pcall('HMGET', P .. K.schedule .. name, 'turn', 'spec', 'env', 'slot', 'waiting', 'last')
  if known[1] and known[2] then
    local status = known[6] and redis.pcall('HGET', P .. K.task .. known[6], 'status')
    due[#due + 1] = name
    for field = 1, 6 do
      due[#due + 1] = known[field] or ''
    end
    due[#due + 1] = type(status) == 'string' and status or ''
  else
    redis.call('ZREM', P .. K.schedules, name) -- deleted by other means, or something else lies there
  end
end
local first = redis.call('ZRANGE', P .. K.schedules, 0, 0, 'WITHSCORES')
local wait = -1
if first[2] and first[2] ~= 'inf' then
  wait = math.max(0, math.floor(first[2] - now))
end
return {now, wait, refused, due}
