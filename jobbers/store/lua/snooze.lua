-- Put executions back with a delay, without using an attempt.
-- KEYS  1 shard prefix
-- ARGV  for each task: id, owner, delay ms, reason
-- REPLY the ids that were refused; sending the same snooze again is accepted and changes nothing
local now = now_ms()
local refused = {}
for i = 1, #ARGV, 4 do
  local id, owner = ARGV[i], ARGV[i + 1]
  local key = P .. K.task .. id
  local record = redis.pcall('HMGET', key, unpack(CLOSING))
  if holds(record, owner) then
    local due = now + tonumber(ARGV[i + 2])
    redis.call('HINCRBY', key, 'attempt', -1)
    redis.call('HINCRBY', key, 'snoozes', 1)
    redis.call('HSET', key, 'status', TO.snooze, 'due', whole(due), 'reason', ARGV[i + 3])
    redis.call('ZREM', P .. K.leases, id)
    stop(id, record, now)
    schedule(id, due)
  elseif record[2] ~= owner or not FROM.promote[record[1]] then
    refused[#refused + 1] = id
  end
end
return refused
