-- Cancel tasks, in whatever status they are; with a run all of its tasks, the last ones first; with a map what is under way.
-- KEYS  1 shard prefix
-- ARGV  1 retention ms, 2 reason, 3 the name of this call, then ids
-- REPLY for each id its status before, or '' when there is no such task; the same when the same call is sent again
local now = now_ms()
local stamp = whole(now)
local retention, reason, call = ARGV[1], ARGV[2], ARGV[3]
local before, recent, tally = {}, {}, {}

local function cancel(id)
  local key = P .. K.task .. id
  local record = redis.pcall('HMGET', key, unpack(CLOSING))
  local status = record[1]
  local first, repeated = before_call(key, call, status)
  if status and not repeated and FROM.cancel[status] then
    if status == 'running' then
      redis.call('ZREM', P .. K.leases, id)
      local worker = string.match(record[2] or '', '^(.*)/')
      if worker then
        redis.call('PUBLISH', G .. K.control .. worker, id)
      end
    elseif status == 'queued' then
      redis.call('XDEL', P .. K.lane .. record[3], redis.call('HGET', key, 'entry') or '0-0')
    else
      redis.call('ZREM', P .. K.due, id)
    end
    close(id, record, 'cancel', stamp, retention, tally, 'reason', reason,
      'call', call .. ' ' .. status)
    recent[#recent + 1] = id
    recent[#recent + 1] = TO.cancel
    local more = record[6] and redis.call('HMGET', key, 'parts', 'expanded')
    if more and (more[1] or more[2]) then
      local ids = more[2] and redis.call('SMEMBERS', P .. K.open .. id) or {}
      table.sort(ids)
      for part in string.gmatch(more[1] or '', '%S+') do
        ids[#ids + 1] = part
      end
      for i = #ids, 1, -1 do
        cancel(ids[i])
      end
    end
  end
  return first
end

for i = 4, #ARGV do
  before[#before + 1] = cancel(ARGV[i])
end
remember(recent)
keep_counts(tally, now)
return before
