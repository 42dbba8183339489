-- What is known of a call that its caller may repeat: who makes it now, and the answer once there is one.
-- KEYS  1 global prefix
-- ARGV  1 place, 2 verb, 3 owner; begin: 4 fingerprint of the call, 5 seed, 6 lease in ms, 7 ms for which it is known;
--       extend: 4 lease in ms; finish: 4 answer, 5 ms for which it is known; leave, forget: nothing more
-- REPLY begin: {state, text, ms}: "run" with the seed of the first try, "done" with the answer, "busy" with the ms until the
--       lease ends, or "other" when it was another call; the other verbs: 1 while the owner holds it, else 0
local place, verb, owner = P .. K.once .. ARGV[1], ARGV[2], ARGV[3]
local known = redis.call('HMGET', place, 'print', 'seed', 'owner', 'until', 'answer')
local now = now_ms()
if verb == 'begin' then
  local seed, lease = ARGV[5], tonumber(ARGV[6])
  if known[1] then
    if known[1] ~= ARGV[4] then
      return {'other', '', 0}
    elseif known[5] then
      return {'done', known[5], 0}
    end
    local left = (tonumber(known[4]) or 0) - now
    -- A clock that was set back must not keep anybody waiting for longer than a lease.
    if known[3] ~= owner and left > 0 and left <= lease then
      return {'busy', '', left}
    end
    seed = known[2] or seed
  else
    redis.call('HSET', place, 'print', ARGV[4], 'seed', seed)
    redis.call('PEXPIRE', place, ARGV[7])
  end
  redis.call('HSET', place, 'owner', owner, 'until', now + lease)
  return {'run', seed, 0}
end
if known[3] ~= owner then
  return 0
end
if verb == 'extend' then
  redis.call('HSET', place, 'until', now + tonumber(ARGV[4]))
elseif verb == 'finish' then
  redis.call('HSET', place, 'answer', ARGV[4])
  redis.call('HDEL', place, 'until', 'seed')
  redis.call('PEXPIRE', place, ARGV[5])
elseif verb == 'leave' then
  redis.call('HDEL', place, 'until')
else
  redis.call('DEL', place)
end
return 1
