-- End an execution of a map that has made some or all of its tasks, or of a task in whose place a run was launched: it goes
-- on, or ends, as they do.
-- KEYS  1 shard prefix
-- ARGV  1 map, 2 owner, 3 how many items there are, 4 what stands for their results, 5 retention ms, 6 the run or '',
--       7 the envelope by which the next execution knows of the run
-- REPLY 1, or 0 when it was refused; sending the same call again is accepted and changes nothing
local map, owner, run, envelope = ARGV[1], ARGV[2], ARGV[6], ARGV[7]
local key = P .. K.task .. map
local record = redis.pcall('HMGET', key, unpack(CLOSING))
if not holds(record, owner) then
  return record[2] == owner and record[1] ~= TO.claim and 1 or 0
end
local now = now_ms()
local stamp = whole(now)
local tally, recent = {}, {}
redis.call('ZREM', P .. K.leases, map)
redis.call('HINCRBY', key, 'attempt', -1)
redis.call('HSET', key, 'status', TO.suspend, 'total', ARGV[3], 'output', ARGV[4])
stop(map, record, now)
if run == '' then
  settle_map(map, stamp, ARGV[5], tally)
else
  redis.call('HSET', key, 'expanded', 1, 'stands_in', run, 'gated', 1)
  redis.call('DEL', P .. K.items .. map, P .. K.args .. map)
  redis.call('HDEL', key, 'broken', 'env')
  if #envelope > COMPACT then
    redis.call('SET', P .. K.args .. map, envelope)
  else
    redis.call('HSET', key, 'env', envelope)
  end
  on(K.open .. map, 'SADD', run)
  local status = redis.call('HGET', P .. K.task .. run, 'status')
  if not status or not FROM.cancel[status] then -- it has ended already
    collect(run, map, 0, status or TO.fail, stamp, ARGV[5], tally)
  end
end
remember(recent)
keep_counts(tally, now)
return 1
