-- Move what is due into its lane.
-- KEYS  1 shard prefix
-- ARGV  1 how many at most, 2 retention ms of tasks whose start deadline has passed
-- REPLY 1 how many were moved or dropped, 2 ms until the next is due, or -1 when nothing waits
local now = now_ms()
local stamp = whole(now)
local retention = tonumber(ARGV[2])
local ids = redis.call('ZRANGEBYSCORE', P .. K.due, '-inf', whole(now), 'LIMIT', 0, ARGV[1])
local recent, tally = {}, {}
for _, id in ipairs(ids) do
  local key = P .. K.task .. id
  local r = redis.pcall('HMGET', key, 'status', 'lane', 'deadline')
  if r[1] and FROM.promote[r[1]] and r[2] then
    if r[3] and (tonumber(r[3]) or now) < now then
      local record = redis.call('HMGET', key, unpack(CLOSING))
      close(id, record, 'expire', stamp, retention, tally, 'reason', 'start deadline passed')
      bury(id, stamp, retention)
      recent[#recent + 1] = id
      recent[#recent + 1] = TO.expire
    else
      redis.call('HSET', key, 'status', TO.promote, 'entry', enqueue(r[2], id))
      redis.call('HDEL', key, 'due')
    end
  end
end
if #ids > 0 then
  redis.call('ZREM', P .. K.due, unpack(ids))
  remember(recent)
  keep_counts(tally, now)
end
local first = redis.call('ZRANGE', P .. K.due, 0, 0, 'WITHSCORES')
if not first[2] then
  return {#ids, -1}
end
return {#ids, math.max(0, math.floor(first[2] - now))}
