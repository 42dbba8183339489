-- Helpers put before every script. Rendered in above this text: P (the shard's prefix, from KEYS[1]), G (the global
-- prefix), K (key name parts), FROM and TO (the transition table), GROUP, COMPACT and STEP.
-- A server does not roll back a script that fails half way, so scripts check first and write after.

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function whole(number)
  return string.format('%.0f', number)
end

-- Something else lies where an index should be: keep it under another name, so that the index can be made anew.
local function put_aside(name)
  local kept = P .. K.garbage .. string.sub(name, 2)
  redis.call('RENAME', P .. name, kept)
  redis.call('EXPIRE', kept, 1209600)
end

-- Run a command on a key that may hold something else: that is put aside, and the command is run once more on nothing.
local function on(name, command, ...)
  local reply = redis.pcall(command, P .. name, ...)
  if type(reply) == 'table' and reply.err then
    put_aside(name)
    reply = redis.call(command, P .. name, ...)
  end
  return reply
end

-- Lay a task into its lane and make sure that somebody can wait for it. Returns the id of the entry.
local opened = {}

local function enqueue(lane, id)
  local key = opened[lane]
  if not key then
    key = P .. K.lane .. lane
    local added = redis.pcall('SADD', P .. K.lanes, lane)
    if type(added) == 'table' then
      put_aside(K.lanes)
      added = redis.call('SADD', P .. K.lanes, lane)
    end
    if added == 1 and redis.call('EXISTS', key) == 0 then
      redis.call('XGROUP', 'CREATE', key, GROUP, '0', 'MKSTREAM')
    end
    opened[lane] = key
  end
  local entry = redis.pcall('XADD', key, '*', 'id', id)
  if type(entry) == 'table' then
    put_aside(K.lane .. lane)
    redis.call('XGROUP', 'CREATE', key, GROUP, '0', 'MKSTREAM')
    entry = redis.call('XADD', key, '*', 'id', id)
  end
  return entry
end

-- The same for one that has been at the head of its lane before, and goes before all that have not. Its entry lies at the end,
-- where others look for it, and the list says who goes first: a claim takes those out of turn.
local function enqueue_first(lane, id)
  on(K.first .. lane, 'RPUSH', id)
  return enqueue(lane, id)
end

-- How many tasks are ready in a queue, of all priorities.
local function queue_length(queue)
  local length = 0
  for priority = 0, 9 do
    local depth = redis.pcall('XLEN', P .. K.lane .. queue .. ':' .. priority)
    length = length + (tonumber(depth) or 0)
  end
  return length
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

-- tally[lane][type][outcome] = how often; each becomes a field `queue|type|outcome` of the minute
local function count(tally, lane, kind, outcome)
  lane, kind = lane or 'default:5', kind or 'unknown' -- of a record that has lost them
  local kinds = tally[lane]
  if not kinds then
    kinds = {}
    tally[lane] = kinds
  end
  local outcomes = kinds[kind]
  if not outcomes then
    outcomes = {}
    kinds[kind] = outcomes
  end
  outcomes[outcome] = (outcomes[outcome] or 0) + 1
end

-- An execution that has been counted ran from `started` (of its record, which anybody may have written) to now: its time is
-- added up, and it is counted in a bucket. Bucket n ends at 2^(n/2) ms: see jobbers/core/tallies.py.
local HALF_OCTAVE = math.log(2) / 2

local function worked(tally, lane, kind, started, now)
  started = tonumber(started)
  if started and math.abs(now - started) < 1e11 then
    local ms = math.max(0, math.floor(now - started))
    local bucket = 'ran|' .. (ms < 2 and 0 or math.ceil(math.log(ms) / HALF_OCTAVE - 1e-6))
    local outcomes = tally[lane or 'default:5'][kind or 'unknown']
    outcomes[bucket] = (outcomes[bucket] or 0) + 1
    outcomes['ran|ms'] = (outcomes['ran|ms'] or 0) + ms
  end
end

-- Count that an execution was ended for a `cause`, 'timeout' or 'silent', by its queue and by its worker. (Other causes are for
-- breakers.)
local function blame(tally, record, cause, outcome)
  if cause == 'timeout' or cause == 'silent' then
    count(tally, record[3], record[4], cause .. '|' .. outcome)
    count(tally, ':0', string.match(record[2], '^(.*)/') or '', cause .. '|' .. outcome)
  end
end

local function keep_counts(tally, now)
  local key = P .. K.stats .. whole(math.floor(now / 60000))
  for lane, kinds in pairs(tally) do
    for kind, outcomes in pairs(kinds) do
      for outcome, number in pairs(outcomes) do
        local field = string.sub(lane, 1, -3) .. '|' .. kind .. '|' .. outcome
        if redis.call('HINCRBY', key, field, number) == number then
          redis.call('EXPIRE', key, 86400) -- the first of its kind; maybe the first of this minute
        end
      end
    end
  end
end

-- Failed tasks are indexed as dead letters and keep their errors as long as their record.
local function bury(id, stamp, retention)
  redis.call('ZADD', P .. K.dead, stamp, id)
  if redis.call('PTTL', P .. K.task .. id) >= 0 then -- not that of an open run
    redis.call('PEXPIRE', P .. K.errors .. id, retention)
  end
end

-- The status of a task before a call ('' if there is no task), and whether the call has been applied to it already: it
-- left its name there, so that its caller learns the truth although the first answer was lost.
local function before_call(key, call, status)
  if not status then
    return '', false
  end
  local name, first = string.match(redis.call('HGET', key, 'call') or '', '^(%S+) (%S+)$')
  if name == call then
    return first, true
  end
  return status, false
end

-- Keep what went wrong beside the record, which must be closed or scheduled by the same script.
local function report(id, blob, cap)
  if blob ~= '' then
    local key = P .. K.errors .. id
    redis.call('RPUSH', key, blob)
    redis.call('LTRIM', key, -cap, -1)
  end
end

-- Whether `owner` may still write to a task: the fence. The nonce in it is drawn anew for every claim.
local function holds(record, owner)
  return record[1] == 'running' and record[2] == owner
end

-- A record's key that holds something else: keep its bytes under another name and put a dead letter in its place.
local function contain(id, stamp, retention)
  local key = P .. K.task .. id
  local kept = P .. K.garbage .. id
  redis.call('RENAME', key, kept)
  redis.call('PEXPIRE', kept, retention)
  redis.call('HSET', key, 'status', TO.fail, 'type', 'unknown', 'lane', 'default:5', 'created', stamp,
    'finished', stamp, 'reason', 'garbled: what lay in its place is kept in ' .. kept)
  redis.call('PEXPIRE', key, retention)
  bury(id, stamp, retention)
end
