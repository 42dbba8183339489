-- Note where running executions are.
-- KEYS  1 shard prefix
-- ARGV  for each task: id, owner, step, progress or '', ms until the next heartbeat is overdue or '',
--       ms until the execution counts as slow or ''
-- REPLY the ids that the caller no longer holds
local now = now_ms()
local lost = {}
for i = 1, #ARGV, 6 do
  local id = ARGV[i]
  local key = P .. K.task .. id
  local record = redis.pcall('HMGET', key, 'status', 'owner', 'watch', 'started')
  if holds(record, ARGV[i + 1]) then
    local values = {'beat', whole(now), 'step', ARGV[i + 2]}
    if ARGV[i + 3] ~= '' then
      values[#values + 1] = 'progress'
      values[#values + 1] = ARGV[i + 3]
    end
    if ARGV[i + 4] ~= '' then
      values[#values + 1] = 'beat_due'
      values[#values + 1] = whole(now + tonumber(ARGV[i + 4]))
    end
    if ARGV[i + 5] ~= '' then
      values[#values + 1] = 'slow_at'
      values[#values + 1] = whole(tonumber(record[4]) + tonumber(ARGV[i + 5]))
    end
    redis.call('HSET', key, unpack(values))
    if record[3] then
      tell(record[3], id, record[1])
    end
  else
    lost[#lost + 1] = id
  end
end
return lost
