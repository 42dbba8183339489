-- Accept results of executions, each at most once and only from the owner of its lease.
-- KEYS  1 shard prefix
-- ARGV  for each task: id, owner, retention ms, 'result' or 'blob', the result or the name of its blob
-- REPLY the ids that were refused; sending the same completion again is accepted and changes nothing
local now = now_ms()
local stamp = whole(now)
local refused, done, recent, tally = {}, {}, {}, {}
for i = 1, #ARGV, 5 do
  local id, owner, where, value = ARGV[i], ARGV[i + 1], ARGV[i + 3], ARGV[i + 4]
  local record = redis.pcall('HMGET', P .. K.task .. id, unpack(CLOSING))
  if holds(record, owner) then
    accept(id, record, where, value, ARGV[i + 2], stamp, tally, recent)
    done[#done + 1] = id
  elseif record[1] ~= TO.succeed or record[2] ~= owner then
    refused[#refused + 1] = id
  end
end
if #done > 0 then
  redis.call('ZREM', P .. K.leases, unpack(done))
  remember(recent)
  keep_counts(tally, now)
end
return refused
