-- Pause a run, or let it go on: that is noted with the run, and what is queued of it is held, or what is held let go, step by step.
-- Nothing of it starts from the first call on; what runs or waits for a retry goes on.
-- KEYS  1 shard prefix
-- ARGV  1 run, 2 1 to pause it or 0 to let it go on, 3 0, or 1 to go on with what is left
-- REPLY 1 the status of the run, or '' when there is none of this id, 2 1 when tasks are left: then the call is to be sent again, to
--       go on, or 0. Sending the same call again changes nothing
local run, pause = ARGV[1], ARGV[2] == '1'
local place = P .. K.task .. run
local r = redis.pcall('HMGET', place, 'status', 'held', 'holding')
if not r[1] or redis.call('HEXISTS', place, 'parts') == 0 then
  return {'', 0}
end
if not FROM.join[r[1]] then
  return {r[1], 0}
end
if ARGV[3] == '1' then
  if not r[3] or pause ~= (r[2] == '1') then
    return {r[1], 0} -- somebody else has finished it, or wants something else by now
  end
elseif pause then
  redis.call('HSET', place, 'held', 1)
else
  redis.call('HDEL', place, 'held')
end
return {r[1], hold_some(run, ARGV[3] == '1' and r[3] or '1', now_ms()) and 1 or 0}
