-- Helpers put before every script. Rendered in above this text: P (the shard's prefix, from KEYS[1]), G (the global
-- prefix), K (key name parts), FROM and TO (the transition table), GROUP and COMPACT.
-- A server does not roll back a script that fails half way, so scripts check first and write after.

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function whole(number)
  return string.format('%.0f', number)
end

-- Lay a task into its lane and make sure that somebody can wait for it. Returns the id of the entry.
local function enqueue(lane, id)
  local key = P .. K.lane .. lane
  if redis.call('SADD', P .. K.lanes, lane) == 1 and redis.call('EXISTS', key) == 0 then
    redis.call('XGROUP', 'CREATE', key, GROUP, '0', 'MKSTREAM')
  end
  return redis.call('XADD', key, '*', 'id', id)
end

-- Enter a task into the due set; ring the promoter when nothing is due earlier.
local function schedule(id, at)
  redis.call('ZADD', P .. K.due, whole(at), id)
  if redis.call('ZRANGE', P .. K.due, 0, 0)[1] == id then
    redis.call('PUBLISH', P .. K.bell, '')
  end
end

-- Give a unique key back if this task holds it.
local function release_unique(id, field)
  local key = P .. K.unique .. string.sub(field, 3)
  if redis.call('GET', key) == id then
    redis.call('DEL', key)
  end
end

local function tell(watch, id, status)
  for inbox in string.gmatch(watch, '%S+') do
    redis.call('PUBLISH', G .. K.inbox .. inbox, id .. ' ' .. status)
  end
end

local function count(tally, lane, kind, outcome)
  local field = string.sub(lane, 1, -3) .. '|' .. kind .. '|' .. outcome
  tally[field] = (tally[field] or 0) + 1
end

local function keep_counts(tally, now)
  local key = P .. K.stats .. whole(math.floor(now / 60000))
  local first = redis.call('EXISTS', key) == 0
  for field, number in pairs(tally) do
    redis.call('HINCRBY', key, field, number)
  end
  if first and next(tally) then
    redis.call('EXPIRE', key, 86400)
  end
end

-- What every end of a task has in common. `record` is {owner, unique, watch, env, type, lane, ...}, as read by
-- CLOSING; `event` has been checked against FROM.
local CLOSING = {'status', 'owner', 'unique', 'watch', 'env', 'type', 'lane'}

local function close(id, record, event, now, retention, tally, ...)
  local key = P .. K.task .. id
  local status = TO[event]
  redis.call('HSET', key, 'status', status, 'finished', whole(now), ...)
  redis.call('PEXPIRE', key, retention)
  if not record[5] then
    redis.call('PEXPIRE', P .. K.args .. id, retention)
  end
  if record[3] and string.sub(record[3], 1, 1) ~= 't' then
    release_unique(id, record[3])
  end
  if record[4] then
    tell(record[4], id, status)
  end
  count(tally, record[7], record[6], status)
end

-- Keep what went wrong beside the record, which must be closed or scheduled by the same script.
local function report(id, blob, cap)
  if blob ~= '' then
    local key = P .. K.errors .. id
    redis.call('RPUSH', key, blob)
    redis.call('LTRIM', key, -cap, -1)
  end
end

-- Failed tasks are indexed as dead letters and keep their errors as long as their record.
local function bury(id, now, retention)
  redis.call('ZADD', P .. K.dead, whole(now), id)
  redis.call('PEXPIRE', P .. K.errors .. id, retention)
end

-- One entry lists all that a script finished: recent = {id, status, id, status, ...}.
local function remember(recent)
  if #recent > 0 then
    redis.call('XADD', P .. K.recent, 'MAXLEN', '~', 1000, '*', unpack(recent))
  end
end

-- Whether `owner` may still write to a task: the fence. The nonce in it is drawn anew for every claim.
local function holds(record, owner)
  return record[1] == 'running' and record[2] == owner
end

-- A record's key that holds something else: keep its bytes under another name and put a dead letter in its place.
local function contain(id, now, retention)
  local key = P .. K.task .. id
  local kept = P .. K.garbage .. id
  redis.call('RENAME', key, kept)
  redis.call('PEXPIRE', kept, retention)
  redis.call('HSET', key, 'status', TO.fail, 'type', 'unknown', 'lane', 'default:5', 'created', whole(now),
    'finished', whole(now), 'reason', 'garbled: what lay in its place is kept in ' .. kept)
  redis.call('PEXPIRE', key, retention)
  bury(id, now, retention)
end
