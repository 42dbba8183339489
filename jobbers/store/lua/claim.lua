-- Take up to so many ready tasks from lanes in the given order, and lease them.
-- KEYS  1 shard prefix
-- ARGV  1 owner (worker/nonce), 2 lease ms, 3 how many at most, 4 retention ms of expired tasks, then lanes
-- REPLY now ms, then for each task: id, lane, type, attempt, crashes, snoozes, created, envelope (or false if lost)
local owner, lease, want, retention = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local now = now_ms()
local started, lease_end = whole(now), whole(now + lease)
local reply, leases, tally, recent = {started}, {}, {}, {}
local paused
for _, queue in ipairs(redis.call('SMEMBERS', P .. K.paused)) do
  paused = paused or {}
  paused[queue] = true
end

local function expire(id)
  local record = redis.call('HMGET', P .. K.task .. id, unpack(CLOSING))
  close(id, record, 'expire', now, retention, tally, 'reason', 'start deadline passed')
  bury(id, now, retention)
  recent[#recent + 1] = id
  recent[#recent + 1] = TO.expire
end

local function take(id, entry, lane)
  local key = P .. K.task .. id
  local r = redis.pcall('HMGET', key, 'status', 'entry', 'env', 'type', 'attempt', 'crashes', 'snoozes', 'created',
    'deadline', 'unique')
  if r.err then
    contain(id, now, retention)
    return 0
  end
  if not r[1] or not FROM.claim[r[1]] or r[2] ~= entry then
    return 0 -- the record has moved on; it is the truth and this entry a left-over
  end
  if r[9] and tonumber(r[9]) < now then
    expire(id)
    return 0
  end
  local attempt = (tonumber(r[5]) or 0) + 1
  redis.call('HSET', key, 'status', TO.claim, 'attempt', attempt, 'owner', owner, 'started', started)
  if r[10] and string.sub(r[10], 1, 1) == 's' then
    release_unique(id, r[10])
  end
  leases[#leases + 1] = lease_end
  leases[#leases + 1] = id
  local n = #reply
  reply[n + 1], reply[n + 2], reply[n + 3], reply[n + 4] = id, lane, r[4] or '', attempt
  reply[n + 5], reply[n + 6], reply[n + 7] = r[6] or 0, r[7] or 0, r[8] or 0
  reply[n + 8] = r[3] or redis.call('GET', P .. K.args .. id)
  return 1
end

for i = 5, #ARGV do
  local lane = ARGV[i]
  local key = P .. K.lane .. lane
  if want > 0 and not (paused and paused[string.sub(lane, 1, -3)]) then
    local entries = redis.pcall('XRANGE', key, '-', '+', 'COUNT', want)
    local gone = {}
    for _, entry in ipairs(entries) do -- none if the key is no stream: doctor names it, other lanes go on
      gone[#gone + 1] = entry[1]
      want = want - take(entry[2][2], entry[1], lane)
    end
    if #gone > 0 then
      redis.call('XDEL', key, unpack(gone))
    end
  end
end
if #leases > 0 then
  redis.call('ZADD', P .. K.leases, unpack(leases))
end
if #recent > 0 then
  remember(recent)
  keep_counts(tally, now)
end
return reply
