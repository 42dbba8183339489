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

-- Something else lies where an index should be: keep it under another name, so that the index can be made anew.
local function put_aside(name)
  local kept = P .. K.garbage .. string.sub(name, 2)
  redis.call('RENAME', P .. name, kept)
  redis.call('EXPIRE', kept, 1209600)
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

-- tally[lane][type][outcome] = how often
local function count(tally, lane, kind, outcome)
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

-- What every end of a task has in common. `record` holds the fields that CLOSING names; `event` has been checked
-- against FROM; `stamp` is now as text; the rest are fields to set besides. What a run's task leaves behind stays as long as
-- the run is open, and its end moves the run on: see `advance`.
local CLOSING = {'status', 'owner', 'lane', 'type', 'env', 'gated', 'watch'}
local ended_besides = {}

local advance, settle_run

local function close(id, record, event, stamp, retention, tally, ...)
  local key = P .. K.task .. id
  local status = TO[event]
  local kept = false
  redis.call('HSET', key, 'status', status, 'finished', stamp, ...)
  if record[6] then
    local more = redis.call('HMGET', key, 'unique', 'run', 'next', 'cause', 'parts')
    if more[1] and string.sub(more[1], 1, 1) ~= 't' then
      release_unique(id, more[1])
    end
    if more[2] then
      kept = advance(id, key, more, status, stamp, retention, tally)
    elseif more[5] then
      settle_run(more[5], retention)
    end
  end
  if kept then
    redis.call('PERSIST', P .. K.result .. id)
  else
    redis.call('PEXPIRE', key, retention)
    if not record[5] then
      redis.call('PEXPIRE', P .. K.args .. id, retention)
    end
    if record[6] then
      redis.call('PEXPIRE', P .. K.errors .. id, retention)
    end
  end
  if record[7] then
    tell(record[7], id, status)
  end
  count(tally, record[3], record[4], status)
end

-- A task of a run has ended: tell those that wait for it. One that waits for nobody any more is laid into its lane; or it
-- is skipped, when it would need the result of one that did not succeed; or, if it is the run itself, the run ends, well only
-- if every task of it did. Returns whether the run is open still.
-- `cause` is the task that first went wrong. A task tells of its end once, whatever becomes of it later.
function advance(id, key, more, status, stamp, retention, tally)
  local place_of_run = P .. K.task .. more[2]
  local run = redis.call('HGET', place_of_run, 'status')
  local open = run and FROM.cancel[run]
  if status ~= TO.succeed and run then
    redis.call('HSETNX', place_of_run, 'cause', more[4] or id)
  end
  redis.call('HDEL', key, 'next')
  local before = #ended_besides
  for child in string.gmatch(more[3] or '', '%S+') do
    local place = P .. K.task .. child
    local r = redis.pcall('HMGET', place, 'status', 'lane', 'trigger', 'cause')
    if r[1] and FROM.unblock[r[1]] then
      local cause = r[4]
      if status ~= TO.succeed and not cause then
        cause = more[4] or id
        redis.call('HSET', place, 'cause', cause)
      end
      if redis.call('HINCRBY', place, 'waits', -1) == 0 then
        local record = redis.call('HMGET', place, unpack(CLOSING))
        if not r[3] then -- the run
          if cause then
            local node = redis.call('HMGET', P .. K.task .. cause, 'node', 'reason')
            close(child, record, 'fail', stamp, retention, tally, 'reason',
              'node ' .. (node[1] or '?') .. ' did not succeed: ' .. (node[2] or 'its record is gone'))
            bury(child, stamp, retention)
          else
            close(child, record, 'join', stamp, retention, tally, 'result', redis.call('HGET', place, 'output'))
          end
        elseif cause and r[3] ~= 'all_done' then
          close(child, record, 'skip', stamp, retention, tally, 'reason', 'task ' .. cause .. ' did not succeed')
        else
          redis.call('HSET', place, 'status', TO.unblock, 'entry', enqueue(r[2], child))
        end
        local now = redis.call('HGET', place, 'status')
        if not FROM.claim[now] then
          ended_besides[#ended_besides + 1] = child
          ended_besides[#ended_besides + 1] = now
        end
      end
    end
  end
  if #ended_besides > before then -- the run may be among them
    run = redis.call('HGET', place_of_run, 'status')
    open = run and FROM.cancel[run]
  end
  return open
end

-- A run has ended: what its tasks left behind goes with it.
function settle_run(parts, retention)
  for id in string.gmatch(parts, '%S+') do
    local status = redis.call('HGET', P .. K.task .. id, 'status')
    if status and not FROM.cancel[status] then
      for _, kept in ipairs({P .. K.task, P .. K.args, P .. K.result, P .. K.errors}) do
        redis.call('PEXPIRE', kept .. id, retention)
      end
    end
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

-- One entry lists all that a script finished: recent = {id, status, id, status, ...}.
local function remember(recent)
  for _, word in ipairs(ended_besides) do
    recent[#recent + 1] = word
  end
  if #recent > 0 then
    redis.call('XADD', P .. K.recent, 'MAXLEN', '~', 1000, '*', unpack(recent))
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
