-- Put executions back into their lanes at once, without using an attempt: a worker shuts down.
-- KEYS  1 shard prefix
-- ARGV  1 reason, then for each task: id, owner
-- REPLY the ids that were refused; sending the same release again is accepted and changes nothing
local now = now_ms()
local refused = {}
for i = 2, #ARGV, 2 do
  local id, owner = ARGV[i], ARGV[i + 1]
  local key = P .. K.task .. id
  local record = redis.pcall('HMGET', key, unpack(CLOSING))
  if holds(record, owner) then
    redis.call('HINCRBY', key, 'attempt', -1)
    redis.call('HSET', key, 'status', TO.release, 'entry', enqueue_first(record[3], id), 'reason', ARGV[1])
    redis.call('ZREM', P .. K.leases, id)
    stop(id, record, now)
  elseif record[2] ~= owner or not FROM.claim[record[1]] then
    refused[#refused + 1] = id
  end
end
return refused
