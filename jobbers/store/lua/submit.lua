-- Create tasks that share one placement; an id that exists is left alone.
-- KEYS  1 shard prefix
-- ARGV  1 queue:priority, 2 type, 3 delay ms, 4 absolute due ms or 0, 5 start deadline in ms or 0,
--       6 unique key or '', 7 its scope (s, f, t), 8 its time in ms or 0, then for each task: id, envelope
-- REPLY id, holder, id, holder, ... for each task that was not created because another holds its unique key; then 'over' if the
--       queue is longer now than it may be. Or nothing was done, and only why: 'draining' or 'full'
local lane, kind = ARGV[1], ARGV[2]
local delay, due, deadline = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local unique, scope, ttl = ARGV[6], ARGV[7], tonumber(ARGV[8])
local now = now_ms()
local created = whole(now)
local held = {}
if due == 0 and delay > 0 then
  due = now + delay
end

local refused, limit = rules_of_queue(lane, 9, 2, unique, scope, due > now)
if refused then
  return {refused}
end

for i = 9, #ARGV, 2 do
  local id = ARGV[i]
  local key = P .. K.task .. id
  if redis.call('EXISTS', key) == 0 then
    local holder = unique ~= '' and holder_of(unique, scope, id)
    if holder then
      held[#held + 1] = id
      held[#held + 1] = holder
    else
      local extra = particulars(id, ARGV[i + 1], now, deadline, unique, scope, ttl, '')
      if due > now then
        redis.call('HSET', key, 'status', 'scheduled', 'type', kind, 'lane', lane, 'created', created,
          'due', whole(due), unpack(extra))
        schedule(id, due)
      else
        redis.call('HSET', key, 'status', 'queued', 'type', kind, 'lane', lane, 'created', created,
          'entry', enqueue(lane, id), unpack(extra))
      end
    end
  end
end
if limit and queue_length(string.sub(lane, 1, -3)) > limit then
  held[#held + 1] = 'over'
end
return held
