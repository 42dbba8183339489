-- How tasks end, and what that does to the run that they belong to. Put before every script, behind `_lib.lua`.

-- What every end of a task has in common. `record` holds the fields that CLOSING names; `event` has been checked
-- against FROM; `stamp` is now as text; the rest are fields to set besides. What a run's task leaves behind stays as long as
-- the run is open, and its end moves the run on: see `advance`.
local CLOSING = {'status', 'owner', 'lane', 'type', 'env', 'gated', 'watch', 'started'}
local ended_besides = {}
local returned, lies = '', 'result' -- what the task that is being closed returned, and where that lies
local blamed = '' -- the cause for which the attempt is being closed

local heir, heir_owner = '', '' -- the task that may follow it on the same worker, and by which claim

-- What an end does to others may be long. A script does what STEP allows: to end a task counts 8, to start one or to look at
-- what one has left behind 4, to tell one of an end 1. What is left then is done by `promote`, step by step.
local spent, settling = 0, false
local untold, winding = {}, {} -- ends that others are to be told of, the last one first; runs whose tasks are to be looked at
local unfinished = {} -- runs whose tasks `promote` looks at

local advance, collect, settle

local function close(id, record, event, stamp, retention, tally, ...)
  local key = P .. K.task .. id
  local status = TO[event]
  local kept = false
  redis.call('HSET', key, 'status', status, 'finished', stamp, ...)
  if record[6] then
    local more = redis.call('HMGET', key, 'unique', 'run', 'next', 'cause', 'parts', 'caught', 'map', 'index', 'expanded', 'expires',
      'gates', 'parked', 'revival', 'holding')
    if more[12] then
      redis.call('HDEL', key, 'parked')
      leave_line(id, more[12], record[3])
      hand_over(more[12], tonumber(stamp))
    end
    if more[11] then
      local ran = record[1] == 'running'
      give_back(id, more[11], true, tonumber(stamp), ran, ran and says(event, blamed) or nil)
    end
    if more[1] and string.sub(more[1], 1, 1) ~= 't' then
      release_unique(id, more[1])
    end
    if more[7] then
      collect(id, more[7], more[8], status, stamp, retention, tally)
    elseif more[2] then
      kept = advance(id, key, more, status, retention)
    end
    if more[5] then
      if more[13] then
        redis.call('HDEL', key, 'revival') -- nobody needs what has not got its new life yet
      end
      if more[14] then
        redis.call('HDEL', key, 'holding')
        on(K.holding, 'ZREM', id)
      end
      redis.call('HSETNX', key, 'winding', 'all ' .. retention .. ' -')
      winding[#winding + 1] = id
    end
    if more[10] then
      on(K.expiring, 'ZREM', id)
    end
    if more[9] and not kept then
      redis.call('PEXPIRE', P .. K.items .. id, retention)
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
  if record[1] == 'running' then
    worked(tally, record[3], record[4], record[8], tonumber(stamp))
  end
  if settling then
    spent = spent + 8
  elseif untold[1] or winding[1] then
    settle(stamp, tally)
  end
end

-- Whether a task is to 'start' or to be 'skip'ped. `need` is how many more must succeed where its trigger counts them,
-- `cause` whether something went wrong before it, `missed` whether a branch that leads to it was not taken.
local function verdict(trigger, need, cause, missed)
  if need then
    return need <= 0 and 'start' or 'skip'
  elseif trigger == 'all_done' then
    return 'start'
  elseif trigger == 'none_failed' then
    return cause and 'skip' or 'start'
  elseif trigger == 'any_failed' then
    return cause and 'start' or 'skip'
  end
  return (cause or missed) and 'skip' or 'start'
end

-- Compensation starts when the run has gone wrong and what it undoes had succeeded.
local function must_undo(place_of_run, target)
  return redis.call('HGET', place_of_run, 'cause') and redis.call('HGET', P .. K.task .. target, 'status') == TO.succeed
end

-- All tasks of a run have ended: it ends, well only if none of them failed or was cancelled, but for those whose failure
-- is provided for.
local function end_run(run, place, cause, stamp, retention, tally)
  local record = redis.call('HMGET', place, unpack(CLOSING))
  if cause then
    local node = redis.call('HMGET', P .. K.task .. cause, 'node', 'reason')
    close(run, record, 'fail', stamp, retention, tally, 'reason',
      'node ' .. (node[1] or '?') .. ' did not succeed: ' .. (node[2] or 'its record is gone'))
    bury(run, stamp, retention)
  else
    close(run, record, 'join', stamp, retention, tally, 'result', redis.call('HGET', place, 'output'))
  end
end

-- One that waits has heard of all that it waits for, or of enough successes: it starts, is skipped, or ends if it is a run.
-- In a paused run nothing starts: what would is `held` until the run goes on.
local function move_on(child, place, place_of_run, held, trigger, left, need, stamp, retention, tally)
  local r = redis.call('HMGET', place, 'lane', 'cause', 'missed', 'undoes', 'attempt', 'created', 'gates')
  local what = 'end'
  if not trigger then
    end_run(child, place, r[2], stamp, retention, tally)
  elseif r[4] then
    what = must_undo(place_of_run, r[4]) and 'start' or 'skip'
  else
    what = verdict(trigger, need, r[2], r[3])
  end
  if what == 'start' then
    spent = spent + 4
    if held then
      redis.call('HSET', place, 'held', 1)
    elseif child == heir then
      redis.call('HSET', place, 'status', TO.follow, 'owner', heir_owner, 'started', stamp,
        'attempt', (tonumber(r[5]) or 0) + 1)
    else
      enter(child, place, r[1], r[6], r[7], TO.unblock, tonumber(stamp))
    end
    if left > 0 then
      redis.call('HDEL', place, 'waits') -- so that it hears of no more ends
    end
  elseif what == 'skip' then
    local record = redis.call('HMGET', place, unpack(CLOSING))
    close(child, record, 'skip', stamp, retention, tally, 'reason',
      r[2] and 'task ' .. r[2] .. ' did not succeed' or 'nothing called for it')
  end
  if what == 'end' or what == 'skip' then
    ended_besides[#ended_besides + 1] = child
    ended_besides[#ended_besides + 1] = redis.call('HGET', place, 'status')
  end
end

-- Tell one that waits of an end: `ended` is how it was, `cause` what went wrong there or before.
local function notify(child, place_of_run, held, ended, cause, stamp, retention, tally)
  local place = P .. K.task .. child
  local r = redis.pcall('HMGET', place, 'status', 'waits', 'trigger', 'need')
  if not r[1] or not FROM.unblock[r[1]] or not r[2] then
    return -- it started before all had ended, or was cancelled
  end
  local left, need = redis.call('HINCRBY', place, 'waits', -1), tonumber(r[4])
  if r[3] and cause then
    redis.call('HSETNX', place, 'cause', cause)
  elseif r[3] and ended == TO.skip then
    redis.call('HSET', place, 'missed', 1)
  elseif need and ended == TO.succeed then
    need = redis.call('HINCRBY', place, 'need', -1)
  end
  if left == 0 or need and need <= 0 then
    move_on(child, place, place_of_run, held, r[3], left, need, stamp, retention, tally)
  end
end

-- A task of a run has ended: those that wait for it are to be told. One that waits for nobody any more is laid into its lane or
-- skipped, as its trigger says; or, if it is the run itself, the run ends. Returns whether the run is open still.
-- A run's `cause` is the task that first went wrong. A task tells of its end once, whatever becomes of it later.
function advance(id, key, more, status, retention)
  local place_of_run = P .. K.task .. more[2]
  local r = redis.call('HMGET', place_of_run, 'status', 'held')
  local open = r[1] and FROM.cancel[r[1]]
  local went_wrong = status == TO.fail or status == TO.cancel
  if went_wrong and r[1] and not more[6] then
    redis.call('HSETNX', place_of_run, 'cause', id)
  end
  if more[3] then
    redis.call('HDEL', key, 'next')
    if open or not r[1] then
      local cause = went_wrong and id or status == TO.skip and more[4]
      untold[#untold + 1] = {id = id, run = place_of_run, held = r[2], status = status, cause = cause, rest = more[3], at = 1,
        retention = retention}
    end
  end
  return open
end

-- Lay a task that waits for what it has started into its lane, or hold it while its run is paused: not an item of a map,
-- which goes on.
local function wake(place, id, lane, run)
  if run and redis.call('HGET', P .. K.task .. run, 'held') then
    redis.call('HSET', place, 'held', 1)
  else
    redis.call('HSET', place, 'status', TO.unblock, 'entry', enqueue_first(lane, id))
  end
end

-- A map whose tasks have moved on: it ends when none is under way and none follows, or goes back into its lane to have
-- more of them made when half of its window is empty.
local function settle_map(id, stamp, retention, tally)
  local place = P .. K.task .. id
  local r = redis.call('HMGET', place, 'total', 'expanded', 'window', 'broken', 'enough', 'lane', 'output', 'stands_in', 'run', 'map')
  local total, expanded, enough = tonumber(r[1]) or 0, tonumber(r[2]) or 0, tonumber(r[5])
  local under_way = on(K.open .. id, 'SCARD')
  local in_vain = r[4] and not enough
  if under_way == 0 and (in_vain or expanded >= total) then
    local record = redis.call('HMGET', place, unpack(CLOSING))
    local good = on(K.items .. id, 'HLEN')
    local reason
    if in_vain then
      local item = redis.call('HMGET', P .. K.task .. r[4], 'index', 'reason')
      reason = (r[8] and 'what it started' or 'item ' .. (item[1] or '?')) .. ' did not succeed: '
        .. (item[2] or 'its record is gone')
    elseif not r[8] and not enough and good < total then
      reason = 'the results of ' .. total - good .. ' items are gone'
    elseif enough and good < enough then
      reason = 'only ' .. good .. ' of ' .. total .. ' items succeeded, and ' .. enough .. ' must'
    end
    if reason then
      close(id, record, 'fail', stamp, retention, tally, 'reason', reason)
      bury(id, stamp, retention)
    elseif r[8] then
      wake(place, id, r[6], not r[10] and r[9])
      return
    elseif not r[7] then
      return -- held before it could say how many there are: it will when its run goes on
    else
      close(id, record, 'join', stamp, retention, tally, 'result', r[7])
    end
    ended_besides[#ended_besides + 1] = id
    ended_besides[#ended_besides + 1] = reason and TO.fail or TO.join
  elseif not in_vain and expanded < total and under_way <= (tonumber(r[3]) or 0) / 2 then
    wake(place, id, r[6], not r[10] and r[9])
  end
end

-- A task of a map has ended: keep what it returned, and let the map go on. What the map does not count any more, as it
-- has got a new life, changes nothing.
function collect(id, map, index, status, stamp, retention, tally)
  if on(K.open .. map, 'SREM', id) == 0 then
    return
  end
  local place = P .. K.task .. map
  local r = redis.pcall('HMGET', place, 'status', 'stands_in')
  local now = r[1]
  if not now or not FROM.cancel[now] then
    return
  end
  if status ~= TO.succeed then
    redis.call('HSETNX', place, 'broken', id)
  elseif not r[2] then
    on(K.items .. map, 'HSET', index, lies .. ' ' .. returned)
  end
  if FROM.unblock[now] then
    settle_map(map, stamp, retention, tally)
  end
end

-- Accept what an execution returned: `where` is 'result' or 'blob', `value` the result or the name of its blob.
local function accept(id, record, where, value, retention, stamp, tally, recent)
  returned, lies = value, where
  if #value > COMPACT and where == 'result' then
    redis.call('SET', P .. K.result .. id, value, 'PX', retention)
    close(id, record, 'succeed', stamp, retention, tally)
  else
    close(id, record, 'succeed', stamp, retention, tally, where, value)
  end
  recent[#recent + 1] = id
  recent[#recent + 1] = TO.succeed
end

-- Cancel a task in whatever status it is; with a run all of its tasks, the last ones first; with a map what is under way.
-- Returns its status before, or '' when there is no such task.
local function cancel_task(id, reason, call, stamp, retention, tally, recent)
  local key = P .. K.task .. id
  local record = redis.pcall('HMGET', key, unpack(CLOSING))
  local status = record[1]
  if status == TO.hold and redis.call('PTTL', key) >= 0 then
    return '' -- of a run that is not launched yet: nobody could tell it of this end
  end
  local first, repeated = before_call(key, call, status)
  if status and not repeated and FROM.cancel[status] then
    if status == 'running' then
      redis.call('ZREM', P .. K.leases, id)
      local worker = string.match(record[2] or '', '^(.*)/')
      if worker then
        redis.call('PUBLISH', G .. K.control .. worker, id)
      end
    elseif status == 'queued' then
      redis.pcall('XDEL', P .. K.lane .. (record[3] or ''), redis.call('HGET', key, 'entry') or '0-0')
    else
      redis.call('ZREM', P .. K.due, id)
    end
    local more = record[6] and redis.call('HMGET', key, 'parts', 'expanded') or {}
    if more[1] then
      redis.call('HSET', key, 'winding', 'all ' .. retention .. ' ' .. call)
    end
    close(id, record, 'cancel', stamp, retention, tally, 'reason', reason,
      'call', call .. ' ' .. status)
    recent[#recent + 1] = id
    recent[#recent + 1] = TO.cancel
    local ids = more[2] and on(K.open .. id, 'SMEMBERS') or {}
    table.sort(ids)
    for n = #ids, 1, -1 do
      cancel_task(ids[n], reason, call, stamp, retention, tally, recent)
    end
  end
  return first
end

-- Entries list what a script finished, at most 1,000 tasks each: recent = {id, status, id, status, ...}.
local function remember(recent)
  for _, word in ipairs(ended_besides) do
    recent[#recent + 1] = word
  end
  for from = 1, #recent, 2000 do -- Lua can pass on about 8,000 words, and a cancelled run may list more
    redis.call('XADD', P .. K.recent, 'MAXLEN', '~', 1000, '*', unpack(recent, from, math.min(from + 1999, #recent)))
  end
end
