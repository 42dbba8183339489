-- Move what is due into its lane, end runs whose deadline has passed, and look at the lines of gates that may have room.
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
  local r = redis.pcall('HMGET', key, 'status', 'lane', 'deadline', 'created', 'gates')
  if r[1] and FROM.promote[r[1]] and r[2] then
    if r[3] and (tonumber(r[3]) or now) < now then
      local record = redis.call('HMGET', key, unpack(CLOSING))
      close(id, record, 'expire', stamp, retention, tally, 'reason', 'start deadline passed')
      bury(id, stamp, retention)
      recent[#recent + 1] = id
      recent[#recent + 1] = TO.expire
    else
      enter(id, key, r[2], r[4], r[5], TO.promote, now)
      redis.call('HDEL', key, 'due')
    end
  end
end
if #ids > 0 then
  redis.call('ZREM', P .. K.due, unpack(ids))
end
local late = redis.pcall('ZRANGEBYSCORE', P .. K.expiring, '-inf', whole(now), 'LIMIT', 0, 10)
for _, run in ipairs(late) do
  local key = P .. K.task .. run
  local r = redis.pcall('HMGET', key, 'status', 'parts', 'revival')
  if r[3] then
    revive_some(run)
  elseif r[1] and r[2] and FROM.join[r[1]] then
    on(K.expiring, 'ZREM', run)
    redis.call('HSET', key, 'winding', 'all ' .. retention .. ' deadline')
    close(run, redis.call('HMGET', key, unpack(CLOSING)), 'fail', stamp, retention, tally, 'reason', 'its deadline has passed')
    bury(run, stamp, retention)
    recent[#recent + 1] = run
    recent[#recent + 1] = TO.fail
  else
    go_on(run, stamp, tally)
  end
end
local held = on(K.holding, 'ZRANGE', 0, 9)
for _, run in ipairs(held) do
  hold_some(run, redis.pcall('HGET', P .. K.task .. run, 'holding'), now)
end
local told = 0
while spent < STEP do
  local first = on(K.untold, 'ZPOPMIN')
  if not first[1] then
    break
  end
  tell_on(first[1], first[2], stamp, tally)
  told, spent = told + 1, spent + 1
end
local gates = on(K.refill, 'ZRANGEBYSCORE', '-inf', whole(now), 'LIMIT', 0, 10)
for _, name in ipairs(gates) do
  redis.call('ZREM', P .. K.refill, name)
  hand_over(name, now)
end
if #late + told > 0 or #recent > 0 then
  remember(recent)
  keep_counts(tally, now)
end
local wait = -1
for _, index in ipairs({K.due, K.expiring, K.refill}) do
  local first = redis.pcall('ZRANGE', P .. index, 0, 0, 'WITHSCORES')[2]
  if first then
    local left = math.max(0, math.floor(first - now))
    wait = wait < 0 and left or math.min(wait, left)
  end
end
if on(K.untold, 'ZCARD') + on(K.holding, 'ZCARD') > 0 then
  wait = 0
end
return {#ids + #late + #held + told + #gates, wait}
