-- Keep the leases of running executions.
-- KEYS  1 shard prefix
-- ARGV  1 lease ms, then for each task: id, owner
-- REPLY id, status, id, status, ... of those that the caller no longer holds (status '' when the record is gone)
local lease_end = whole(now_ms() + tonumber(ARGV[1]))
local lost, leases = {}, {}
for i = 2, #ARGV, 2 do
  local id = ARGV[i]
  local record = redis.pcall('HMGET', P .. K.task .. id, 'status', 'owner')
  if holds(record, ARGV[i + 1]) then
    leases[#leases + 1] = lease_end
    leases[#leases + 1] = id
  else
    lost[#lost + 1] = id
    lost[#lost + 1] = record[1] or ''
  end
end
if #leases > 0 then
  redis.call('ZADD', P .. K.leases, unpack(leases))
end
return lost
