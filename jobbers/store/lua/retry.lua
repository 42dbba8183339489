-- Put failed executions into the due set; each has used an attempt.
-- KEYS  1 shard prefix
-- ARGV  1 errors kept per task, then for each task: id, owner, delay ms, reason, error report or '',
--       its cause as for fail.lua
-- REPLY the ids that were refused; sending the same retry again is accepted and changes nothing
local now = now_ms()
local refused, tally = {}, {}
for i = 2, #ARGV, 6 do
  local id, owner = ARGV[i], ARGV[i + 1]
  local key = P .. K.task .. id
  local record = redis.pcall('HMGET', key, unpack(CLOSING))
  if holds(record, owner) then
    local due = now + tonumber(ARGV[i + 2])
    report(id, ARGV[i + 4], ARGV[1])
    redis.call('HSET', key, 'status', TO.retry, 'due', whole(due), 'reason', ARGV[i + 3], 'gated', 1)
    redis.call('ZREM', P .. K.leases, id)
    stop(id, record, now, says('retry', ARGV[i + 5]))
    schedule(id, due)
    count(tally, record[3], record[4], 'retried')
    worked(tally, record[3], record[4], record[8], now)
    blame(tally, record, ARGV[i + 5], 'retried')
  elseif record[2] ~= owner or not FROM.promote[record[1]] then
    refused[#refused + 1] = id
  end
end
keep_counts(tally, now)
return refused
