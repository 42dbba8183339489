-- End an execution of a map that has made some or all of its tasks: it goes on, or ends, as they do.
-- KEYS  1 shard prefix
-- ARGV  1 map, 2 owner, 3 how many items there are, 4 what stands for their results, 5 retention ms
-- REPLY 1, or 0 when it was refused; sending the same call again is accepted and changes nothing
local map, owner = ARGV[1], ARGV[2]
local key = P .. K.task .. map
local record = redis.pcall('HMGET', key, unpack(CLOSING))
if not holds(record, owner) then
  return record[2] == owner and record[1] ~= TO.claim and 1 or 0
end
local now = now_ms()
local tally, recent = {}, {}
redis.call('ZREM', P .. K.leases, map)
redis.call('HINCRBY', key, 'attempt', -1)
redis.call('HSET', key, 'status', TO.suspend, 'total', ARGV[3], 'output', ARGV[4])
settle_map(map, whole(now), ARGV[5], tally)
remember(recent)
keep_counts(tally, now)
return 1
