-- Put failed executions into the due set; each has used an attempt.
-- KEYS  1 shard prefix
-- ARGV  1 errors kept per task, 2 what share of first attempts retries may be, of a million, or 0 for any, 3 every so many
--       us one may be in any case, then for each task: id, owner, delay ms, reason, error report or '',
--       its cause as for fail.lua
-- REPLY the ids that were refused; sending the same retry again is accepted and changes nothing
local now = now_ms()
local refused, tally = {}, {}
local share, pace = tonumber(ARGV[2]), tonumber(ARGV[3]) / 1000
local firsts, retries, granted = 0, 0, 0
if share > 0 then
  firsts, retries = tallied(K.retries, BUDGET_WINDOW, now, 0, 0)
end

-- How much longer a retry has to wait: nothing within the budget; over it, they go one by one.
local function over_budget()
  if share == 0 or (retries + granted + 1) * 1000000 <= firsts * share then
    granted = granted + 1
    return 0
  end
  local slot = math.max(now, tonumber(on(K.retry_slot, 'GET')) or 0)
  local wait = math.min(slot - now, LONGEST_STRETCH)
  if wait < LONGEST_STRETCH then
    redis.call('SET', P .. K.retry_slot, string.format('%.3f', slot + pace), 'PX', whole(wait + pace + 1000))
  end
  return math.floor(wait)
end

for i = 4, #ARGV, 6 do
  local id, owner = ARGV[i], ARGV[i + 1]
  local key = P .. K.task .. id
  local record = redis.pcall('HMGET', key, unpack(CLOSING))
  if holds(record, owner) then
    local due = now + tonumber(ARGV[i + 2]) + over_budget()
    report(id, ARGV[i + 4], ARGV[1])
    redis.call('HSET', key, 'status', TO.retry, 'due', whole(due), 'reason', ARGV[i + 3], 'gated', 1)
    redis.call('ZREM', P .. K.leases, id)
    stop(id, record, now, says('retry', ARGV[i + 5]))
    schedule(id, due)
    count(tally, record[3], record[4], 'retried')
    worked(tally, record[3], record[4], record[8], now)
    blame(tally, record, ARGV[i + 5], 'retried')
  elseif record[2] ~= owner or not FROM.promote[record[1]] then
    refused[#refused + 1] = id
  end
end
if share > 0 and granted > 0 then
  tallied(K.retries, BUDGET_WINDOW, now, 0, granted)
end
keep_counts(tally, now)
return refused
