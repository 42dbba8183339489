-- Cancel those of some tasks that wait in a queue: ready, scheduled or parked. What runs, and what has moved on, is left alone.
-- KEYS  1 shard prefix
-- ARGV  1 retention ms, 2 reason, 3 the name of this call, 4 queue, then ids
-- REPLY how many were cancelled; the same when the same call is sent again
local now = now_ms()
local stamp = whole(now)
local recent, tally, cancelled = {}, {}, 0
for i = 5, #ARGV do
  local r = redis.pcall('HMGET', P .. K.task .. ARGV[i], 'status', 'lane', 'call', 'parked')
  local waits = (r[1] == 'queued' or r[1] == 'scheduled' or r[4]) and string.sub(r[2] or '', 1, -3) == ARGV[4]
  if waits then
    cancel_task(ARGV[i], ARGV[2], ARGV[3], stamp, ARGV[1], tally, recent)
  end
  if waits or (r[3] and string.sub(r[3], 1, #ARGV[3] + 1) == ARGV[3] .. ' ') then
    cancelled = cancelled + 1
  end
end
remember(recent)
keep_counts(tally, now)
return cancelled
