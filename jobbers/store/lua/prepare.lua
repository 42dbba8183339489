-- Create some of the many tasks of a run that is to be launched: nothing of it can start before `launch`, and what is not launched
-- goes by itself. What exists is kept, and nothing is done when the run does.
-- KEYS  1 shard prefix
-- ARGV  1 run id, 2 for how many ms to keep them, then for each task what `launch` takes
-- REPLY 1, or 0 when the run was there
local run, kept = ARGV[1], ARGV[2]
if redis.call('EXISTS', P .. K.task .. run) == 1 then
  return 0
end
local now = now_ms()
local created = whole(now)
for i = 3, #ARGV, 9 do
  if redis.call('EXISTS', P .. K.task .. ARGV[i]) == 0 then
    make_task(run, i, created, now, kept)
  else
    redis.call('PEXPIRE', P .. K.task .. ARGV[i], kept)
    redis.call('PEXPIRE', P .. K.args .. ARGV[i], kept)
  end
end
return 1
