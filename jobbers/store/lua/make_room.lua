-- Drop the oldest ready tasks of a queue that is longer than its limit: they become dead letters.
-- KEYS  1 shard prefix
-- ARGV  1 queue, 2 how many at most
-- REPLY how many were dropped
local queue = ARGV[1]
local rules = redis.pcall('HMGET', P .. K.queues, 'live:' .. queue, 'code:' .. queue)
local limit, policy, retention = string.match(rules[1] or rules[2] or '', '^(%d+) (%l+) %d+ (%d+)$')
if policy ~= 'drop' or limit == '0' then
  return 0
end
local over = math.min(queue_length(queue) - limit, tonumber(ARGV[2]))
if over <= 0 then
  return 0
end
local stamp = whole(now_ms())
local oldest, recent, tally = {}, {}, {}
for priority = 0, 9 do
  local lane = queue .. ':' .. priority
  for _, entry in ipairs(redis.pcall('XRANGE', P .. K.lane .. lane, '-', '+', 'COUNT', over)) do
    local time, number = string.match(entry[1], '^(%d+)-(%d+)$')
    oldest[#oldest + 1] = {time = tonumber(time), number = tonumber(number), lane = lane, entry = entry[1], id = entry[2][2]}
  end
end
table.sort(oldest, function(one, other) -- of those of one ms, the lowest priority goes first
  if one.time ~= other.time then
    return one.time < other.time
  elseif one.lane ~= other.lane then
    return one.lane < other.lane
  end
  return one.number < other.number
end)
for n = 1, math.min(over, #oldest) do
  local id, entry = oldest[n].id, oldest[n].entry
  local record = redis.pcall('HMGET', P .. K.task .. id, unpack(CLOSING))
  if record[1] == 'queued' and redis.call('HGET', P .. K.task .. id, 'entry') == entry then
    close(id, record, 'expire', stamp, retention, tally, 'reason', 'dropped: queue ' .. queue .. ' was full')
    bury(id, stamp, retention)
    recent[#recent + 1] = id
    recent[#recent + 1] = TO.expire
  end
  redis.call('XDEL', P .. K.lane .. oldest[n].lane, entry)
end
remember(recent)
keep_counts(tally, tonumber(stamp))
return math.min(over, #oldest)
