-- End executions as skipped: their own condition did not hold, or they said so.
-- KEYS  1 shard prefix
-- ARGV  for each task: id, owner, retention ms, reason
-- REPLY the ids that were refused; sending the same skip again is accepted and changes nothing
local now = now_ms()
local stamp = whole(now)
local refused, recent, tally = {}, {}, {}
for i = 1, #ARGV, 4 do
  local id, owner = ARGV[i], ARGV[i + 1]
  local record = redis.pcall('HMGET', P .. K.task .. id, unpack(CLOSING))
  if holds(record, owner) then
    close(id, record, 'skip', stamp, ARGV[i + 2], tally, 'reason', ARGV[i + 3])
    redis.call('ZREM', P .. K.leases, id)
    recent[#recent + 1] = id
    recent[#recent + 1] = TO.skip
  elseif record[1] ~= TO.skip or record[2] ~= owner then
    refused[#refused + 1] = id
  end
end
remember(recent)
keep_counts(tally, now)
return refused
