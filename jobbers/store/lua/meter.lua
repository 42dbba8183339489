-- Take one call from a caller's bucket, which fills by the server's clock. What is stored is the time at which it is full.
-- KEYS  1 global prefix
-- ARGV  1 caller, 2 us that one call is worth, 3 how many calls the bucket holds
-- REPLY 0 when the call may be made, else us until the next one may; a call that is sent again may be counted twice
local place = P .. K.bucket .. ARGV[1]
local cost, most = tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local stored = redis.pcall('GET', place)
local full = type(stored) == 'string' and tonumber(stored) or now
-- A clock that was set back must not shut anybody out for longer than an empty bucket does.
full = math.min(math.max(full, now), now + cost * most)
local wait = full + cost - now - cost * most
if wait > 0.5 then
  return math.ceil(wait)
end
full = full + cost
redis.call('SET', place, string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000) + 1)
return 0
