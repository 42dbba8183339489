-- Cancel tasks, in whatever status they are; with a run all of its tasks, the last ones first; with a map what is under way.
-- KEYS  1 shard prefix
-- ARGV  1 retention ms, 2 reason, 3 the name of this call, 4 0, or 1 to go on with runs of which tasks were left, then ids
-- REPLY for each id its status before, or '' when there is no such task; the same when the same call is sent again; then the
--       runs of which tasks are left, with which to go on: none of their own tasks starts meanwhile
local now = now_ms()
local stamp = whole(now)
local retention, reason, call, again = ARGV[1], ARGV[2], ARGV[3], ARGV[4] == '1'
local before, recent, tally = {}, {}, {}

for i = 5, #ARGV do
  if again then
    before[#before + 1] = ''
    go_on(ARGV[i], stamp, tally)
  else
    before[#before + 1] = cancel_task(ARGV[i], reason, call, stamp, retention, tally, recent)
  end
end
for _, run in ipairs(unfinished) do
  before[#before + 1] = run
end
remember(recent)
keep_counts(tally, now)
return before
