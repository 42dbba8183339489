-- Take up to so many ready tasks from lanes in the given order, and lease them.
-- KEYS  1 shard prefix
-- ARGV  1 owner (worker/nonce), 2 lease ms, 3 how many at most, 4 retention ms of expired tasks, 5 1 to count
--       first attempts for a retry budget or 0, then lanes
-- REPLY 1 when ready tasks were left behind on purpose or may have been, else 2 when a paused lane was left out, else 0; then for each task: id, lane, type, attempt, crashes,
--       snoozes, created, envelope (or false if lost)
local MOST_PARKED = 200 -- in one call: what has no permit stands in a line from then on
local owner, lease, want, retention = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local now = now_ms()
local stamp, lease_end = whole(now), whole(now + lease)
local reply, leases, tally, recent, taken, parked = {0}, {}, {}, {}, 0, 0
local first_attempts = 0
local stirred = false -- whether a lane may hold more now than was read of it
local paused
for _, queue in ipairs(redis.pcall('SMEMBERS', P .. K.paused)) do
  paused = paused or {}
  paused[queue] = true
end

local function expire(id)
  local record = redis.call('HMGET', P .. K.task .. id, unpack(CLOSING))
  close(id, record, 'expire', stamp, retention, tally, 'reason', 'start deadline passed')
  bury(id, stamp, retention)
  recent[#recent + 1] = id
  recent[#recent + 1] = TO.expire
end

-- Run, deadline, gates and unique key of a task that has any; false when it must not start, now or ever. What only fetches the
-- result of the run that it has launched has passed its gates before.
local function passes_gate(id, key, lane, entry, created)
  local gate = redis.call('HMGET', key, 'deadline', 'unique', 'gates', 'stands_in', 'run', 'map')
  local reason, kept_for, call
  local run = gate[5] and redis.pcall('HMGET', P .. K.task .. gate[5], 'winding', 'status', 'reason', 'held', 'holding') or {}
  if run[1] then
    reason, kept_for, call = cut_short(run[1], run[2], run[3])
  end
  if reason then
    if gate[6] then -- the map first: it would fail for its items
      cancel_task(gate[6], reason, call, stamp, kept_for, tally, recent)
    end
    cancel_task(id, reason, call, stamp, kept_for, tally, recent)
    parked, stirred = parked + 1, true
    return false
  end
  if run[4] and run[5] and not gate[6] then -- not all of a run that is paused has been held yet
    hold_task(id, gate[3], now)
    parked, stirred = parked + 1, true
    return false
  end
  if gate[1] and (tonumber(gate[1]) or now) < now then
    expire(id)
    return false
  end
  if gate[3] and not gate[4] then
    local short = admit(id, gate[3], ON_CLAIM, now)
    if short then
      local ms, number = string.match(entry, '^(%d+)-(%d+)$')
      park(id, key, short, lane, moment(created, ms == created and number or 511), gate[3], now)
      parked, stirred = parked + 1, true
      return false
    end
    begin(id, gate[3], owner, now)
    stirred = stirred or string.find(gate[3], 'f%d') ~= nil
  end
  if gate[2] and string.sub(gate[2], 1, 1) == 's' then
    release_unique(id, gate[2])
  end
  return true
end

-- Most tasks are claimed once and plain, and then two calls are all it takes: what only some have is read apart.
-- Returns whether to go on. A task that lost a worker may be poison: it is claimed alone, so that it does not take the
-- same neighbours along again.
local function take(id, entry, lane)
  local key = P .. K.task .. id
  local r = redis.pcall('HMGET', key, 'status', 'type', 'created', 'entry', 'env', 'gated', 'attempt')
  if r.err then
    contain(id, stamp, retention)
    return true
  end
  if not r[1] or not FROM.claim[r[1]] or r[4] ~= entry then
    return true -- the record has moved on; it is the truth and this entry a left-over
  end
  local attempt, crashes, snoozes = 1, 0, 0
  if r[7] then
    local past = redis.call('HMGET', key, 'crashes', 'snoozes')
    attempt, crashes, snoozes = (tonumber(r[7]) or 0) + 1, tonumber(past[1]) or 0, tonumber(past[2]) or 0
    if crashes > 0 then
      reply[1] = 1
      if taken > 0 then
        return false
      end
    end
    redis.call('HDEL', key, 'beat_due', 'slow_at') -- of the last execution
  end
  if r[6] and not passes_gate(id, key, lane, entry, r[3]) then
    return true
  end
  local envelope = r[5] or redis.pcall('GET', P .. K.args .. id)
  if type(envelope) ~= 'string' then
    envelope = false -- lost, or something else lies there: the worker makes a dead letter of it
  end
  redis.call('HSET', key, 'status', TO.claim, 'attempt', attempt, 'owner', owner, 'started', stamp)
  if attempt == 1 then
    first_attempts = first_attempts + 1
  end
  leases[2 * taken + 1], leases[2 * taken + 2] = lease_end, id
  local n = 1 + 8 * taken
  reply[n + 1], reply[n + 2], reply[n + 3], reply[n + 4] = id, lane, r[2] or '', attempt
  reply[n + 5], reply[n + 6], reply[n + 7] = crashes, snoozes, tonumber(r[3]) or 0
  reply[n + 8] = envelope
  taken = taken + 1
  if crashes > 0 then
    want = taken
  end
  return true
end

-- Those that go first, whatever their entries say. One that has moved on is left out, like an entry that is left over. Tells
-- whether so many could not be taken that the next call is to go on: after a pause that may be nearly all.
local function take_first(lane)
  local list, before = P .. K.first .. lane, taken
  for looked = 1, math.huge do
    local id = taken < want and redis.pcall('LPOP', list)
    if type(id) ~= 'string' then
      return false
    end
    local r = redis.pcall('HMGET', P .. K.task .. id, 'entry', 'lane')
    if r[1] and r[2] == lane then
      if not take(id, r[1], lane) then
        redis.call('LPUSH', list, id)
        want = taken
        return false
      end
      redis.pcall('XDEL', P .. K.lane .. lane, r[1])
    end
    if looked - (taken - before) >= MOST_PARKED then
      return true
    end
  end
end

for i = 6, #ARGV do
  local lane = ARGV[i]
  local key = P .. K.lane .. lane
  local left_out = paused and paused[string.sub(lane, 1, -3)]
  if left_out and reply[1] == 0 then
    reply[1] = 2
  end
  local looked = taken < want and not left_out
  while looked do
    stirred = false
    if take_first(lane) then
      reply[1] = 1
      break
    elseif taken >= want then
      break
    end
    local entries = redis.pcall('XRANGE', key, '-', '+', 'COUNT', want - taken)
    local last
    for _, entry in ipairs(entries) do -- none if the key is no stream: other lanes go on
      if taken >= want or not take(entry[2][2], entry[1], lane) then
        want = taken
        break
      end
      last = entry[1]
    end
    if last then -- all up to the last one are gone: cheaper than deleting them one by one
      local time, number = string.match(last, '^(%d+)-(%d+)$')
      redis.call('XTRIM', key, 'MINID', time .. '-' .. whole(number + 1))
    end
    if parked >= MOST_PARKED then
      reply[1] = 1
    end
    looked = last and taken < want and stirred and parked < MOST_PARKED
  end
end
if #leases > 0 then
  redis.call('ZADD', P .. K.leases, unpack(leases))
end
if first_attempts > 0 and ARGV[5] == '1' then
  tallied(K.retries, BUDGET_WINDOW, now, first_attempts, 0)
end
if #recent > 0 then
  remember(recent)
  keep_counts(tally, now)
end
return reply
