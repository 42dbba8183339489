-- End executions as failed: dead letters, each with the error of its last attempt.
-- KEYS  1 shard prefix
-- ARGV  1 errors kept per task, then for each task: id, owner, retention ms, reason, error report or '',
--       'timeout' or 'silent' if it was ended for that, 'answered' if breakers are to take it for a success and 'apart' if
--       it says nothing to them, or ''
-- REPLY the ids that were refused; sending the same failure again is accepted and changes nothing
local now = now_ms()
local stamp = whole(now)
local refused, recent, tally = {}, {}, {}
for i = 2, #ARGV, 6 do
  local id, owner, retention = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local record = redis.pcall('HMGET', P .. K.task .. id, unpack(CLOSING))
  if holds(record, owner) then
    report(id, ARGV[i + 4], ARGV[1])
    blamed = ARGV[i + 5]
    close(id, record, 'fail', stamp, retention, tally, 'reason', ARGV[i + 3])
    blame(tally, record, ARGV[i + 5], TO.fail)
    bury(id, stamp, retention)
    redis.call('ZREM', P .. K.leases, id)
    recent[#recent + 1] = id
    recent[#recent + 1] = TO.fail
  elseif record[1] ~= TO.fail or record[2] ~= owner then
    refused[#refused + 1] = id
  end
end
remember(recent)
keep_counts(tally, now)
return refused
