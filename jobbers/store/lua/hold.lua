-- Pause a run, or let it go on. What is queued of it is held, and nothing starts; what runs or waits for a retry goes on.
-- KEYS  1 shard prefix
-- ARGV  1 run, 2 1 to pause it or 0 to let it go on
-- REPLY the status of the run, or '' when there is none of this id; sending the same call again changes nothing
local run, pause = ARGV[1], ARGV[2] == '1'
local place = P .. K.task .. run
local now = now_ms()
local r = redis.pcall('HMGET', place, 'status', 'parts')
if not r[1] or not r[2] then
  return ''
end
if not FROM.join[r[1]] then
  return r[1]
end
if pause then
  redis.call('HSET', place, 'held', 1)
else
  redis.call('HDEL', place, 'held')
end
for id in string.gmatch(r[2], '%S+') do
  local key = P .. K.task .. id
  local part = redis.pcall('HMGET', key, 'status', 'lane', 'entry', 'held', 'gates')
  if pause and part[1] and FROM.hold[part[1]] then
    redis.call('XDEL', P .. K.lane .. part[2], part[3] or '0-0')
    redis.call('HSET', key, 'status', TO.hold, 'held', 1)
    if part[5] then
      give_back(id, part[5], false, now, false)
    end
  elseif not pause and part[4] and FROM.unblock[part[1]] then
    redis.call('HDEL', key, 'held')
    redis.call('HSET', key, 'status', TO.unblock, 'entry', enqueue(part[2], id))
  end
end
return r[1]
