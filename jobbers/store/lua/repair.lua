-- Bring indexes back in line with records: every task in exactly the place that its status demands.
-- KEYS  1 shard prefix
-- ARGV  1 lease ms, 2 retention ms, 3 1 to repair or 0 to look only, then ids
-- REPLY for each task that is out of place: id, what is wrong
local now = now_ms()
local stamp = whole(now)
local lease, retention, mend = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3] == '1'
local known = {[TO.succeed] = true, [TO.fail] = true, [TO.cancel] = true, [TO.skip] = true}
local found = {}

local function wrong(id, what)
  found[#found + 1] = id
  found[#found + 1] = what
  return mend
end

-- Whether the run of a task is open, or has ended and its tasks are still being looked at.
local function in_open_run(key)
  local run = redis.call('HGET', key, 'run')
  local r = run and redis.call('HMGET', P .. K.task .. run, 'status', 'winding') or {}
  return r[1] and (FROM.cancel[r[1]] or r[2])
end

local function check(id)
  local key = P .. K.task .. id
  local kind = redis.call('TYPE', key).ok
  if kind == 'none' then
    return -- it expired since it was listed
  end
  if kind ~= 'hash' then
    return wrong(id, 'not a record') and contain(id, stamp, retention)
  end
  local r = redis.call('HMGET', key, 'status', 'lane', 'entry', 'due')
  local status, lane, entry = r[1], r[2], r[3]
  local whole_record = status and (known[status] or FROM.cancel[status]) and lane
    and string.match(lane, '^[%w_.-]+:%d$') and redis.call('HGET', key, 'type')
  if not whole_record then
    if wrong(id, 'not a record') then
      contain(id, stamp, retention)
    end
  elseif FROM.claim[status] then
    local found_entry = entry and redis.pcall('XRANGE', P .. K.lane .. lane, entry, entry)[1]
    local there = found_entry and found_entry[2][2] == id -- a lane that was deleted may give an entry's id out again
    if not there and wrong(id, 'queued, but in no lane') then
      redis.call('HSET', key, 'entry', enqueue(lane, id))
    elseif there and redis.call('SISMEMBER', P .. K.lanes, lane) == 0 and wrong(id, 'queued in a lane that is not listed') then
      redis.call('SADD', P .. K.lanes, lane)
    end
  elseif FROM.promote[status] then
    if not redis.call('ZSCORE', P .. K.due, id) and wrong(id, 'scheduled, but not in the due set') then
      schedule(id, tonumber(r[4]) or now)
    end
  elseif FROM.succeed[status] then
    if not redis.call('ZSCORE', P .. K.leases, id) and wrong(id, 'running, but without a lease') then
      redis.call('ZADD', P .. K.leases, whole(now + lease), id)
    end
  elseif FROM.unblock[status] then
    local r = redis.call('HMGET', key, 'parked', 'created', 'revival', 'holding')
    if r[1] and not on(K.line .. r[1], 'ZSCORE', id) and wrong(id, 'parked, but in no line') then
      stand(id, r[1], lane, r[2])
      look_again(r[1], now)
    end
    if r[3] and not on(K.expiring, 'ZSCORE', id) and wrong(id, 'a run with tasks to revive, but nobody looks for it') then
      on(K.expiring, 'ZADD', stamp, id)
    end
    if r[4] and not on(K.holding, 'ZSCORE', id) and wrong(id, 'a run with tasks to hold or let go, but nobody looks for it') then
      on(K.holding, 'ZADD', stamp, id)
    end
  elseif redis.call('HEXISTS', key, 'winding') == 1 then
    if not on(K.expiring, 'ZSCORE', id) and wrong(id, 'a run that has ended, but nobody looks for its tasks') then
      on(K.expiring, 'ZADD', stamp, id)
    end
  elseif redis.call('HEXISTS', key, 'next') == 1 and not on(K.untold, 'ZSCORE', id) then
    if wrong(id, 'ended, but has not told all others of it') then
      on(K.untold, 'ZADD', retention, id)
    end
  elseif redis.call('PTTL', key) < 0 and not FROM.unblock[status] and not in_open_run(key) then
    if wrong(id, 'final, but kept for ever') then
      redis.call('PEXPIRE', key, retention)
    end
  elseif status == TO.fail and not redis.call('ZSCORE', P .. K.dead, id) then
    if wrong(id, 'failed, but not a dead letter') then
      redis.call('ZADD', P .. K.dead, stamp, id)
    end
  end
end

for i = 4, #ARGV do
  check(ARGV[i])
end
return found
