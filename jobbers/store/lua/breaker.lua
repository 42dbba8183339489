-- Say when a breaker opens; open one by hand, or close one.
-- KEYS  1 shard prefix
-- ARGV  1 'define', 2 its name, 3 its text: failed of a million, of how many, window ms, ms open, probes, 1 if there is one a key;
--       or 1 'reset' or 'trip', 2 the gate, 3 (only to trip) for how many ms, or 0 until it is reset
-- REPLY 1, or 0 if there is no breaker of this name to trip or reset
local verb, name, now = ARGV[1], ARGV[2], now_ms()
if verb == 'define' then
  on(K.breakers, 'HSET', name, ARGV[3])
  return 1
end
if on(K.breakers, 'HEXISTS', string.match(name, '^!([^=]*)') or '') == 0 then
  return 0
end
if verb == 'trip' then
  local time = tonumber(ARGV[3])
  trip(name, time > 0 and now + time or FOR_EVER, now)
else
  on(K.tripped, 'ZREM', name)
  redis.call('DEL', P .. K.outcomes .. name)
end
hand_over(name, now)
return 1
