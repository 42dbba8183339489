-- Cancel tasks, in whatever status they are; with a run all of its tasks, the last ones first; with a map what is under way.
-- KEYS  1 shard prefix
-- ARGV  1 retention ms, 2 reason, 3 the name of this call, then ids
-- REPLY for each id its status before, or '' when there is no such task; the same when the same call is sent again
local now = now_ms()
local stamp = whole(now)
local retention, reason, call = ARGV[1], ARGV[2], ARGV[3]
local before, recent, tally = {}, {}, {}

for i = 4, #ARGV do
  before[#before + 1] = cancel_task(ARGV[i], reason, call, stamp, retention, tally, recent)
end
remember(recent)
keep_counts(tally, now)
return before
