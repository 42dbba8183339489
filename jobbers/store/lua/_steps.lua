-- What is done to the tasks of runs step by step. Put before every script, behind `_ends.lua`.

-- Of a run that was ended before its tasks, why these are ended, how long they are kept, and the call that did it; or nil. What
-- is asked for are fields of its record.
local function cut_short(winding_up, status, reason)
  local retention, call = string.match(winding_up or '', ' (%d+) (%S+)$')
  if call and call ~= '-' then
    return status == TO.cancel and (reason or '') or 'the deadline of its run has passed', retention, call
  end
end

-- Look at the tasks of a run that has ended, the last ones first: what has ended goes with it, and what has not is cancelled if the
-- run was ended before it.
local function wind(run, stamp, tally)
  local place = P .. K.task .. run
  local r = redis.pcall('HMGET', place, 'winding', 'status', 'reason', 'parts', 'revival')
  local from, retention = string.match(r[1] or '', '^(%w+) (%d+) %S+$')
  if not from then
    if not r[5] then -- `promote` goes on with that
      on(K.expiring, 'ZREM', run)
    end
    return
  end
  local reason, _, call = cut_short(r[1], r[2], r[3])
  local ids = {}
  for id in string.gmatch(r[4] or '', '%S+') do
    ids[#ids + 1] = id
  end
  local left = tonumber(from) or #ids
  while left > 0 and spent < STEP do
    local id = ids[left]
    local task = redis.pcall('HMGET', P .. K.task .. id, 'status', 'next')
    local is_open = FROM.cancel[task[1]]
    if reason and is_open then
      cancel_task(id, reason, call, stamp, retention, tally, ended_besides)
    elseif task[1] and not is_open then
      spent = spent + 4
      if task[2] then
        redis.call('HDEL', P .. K.task .. id, 'next')
      end
      for _, kept in ipairs({P .. K.task, P .. K.args, P .. K.result, P .. K.errors, P .. K.items}) do
        redis.call('PEXPIRE', kept .. id, retention)
      end
    end
    left = left - 1
  end
  if left > 0 then
    redis.call('HSET', place, 'winding', whole(left) .. string.sub(r[1], #from + 1))
    winding[#winding + 1] = run
  else
    redis.call('HDEL', place, 'winding')
    if on(K.expiring, 'ZREM', run) == 1 then
      redis.call('PEXPIRE', place, retention)
    end
  end
end

-- Do what has come up until nothing is left, or STEP is spent; the rest is put where `promote` finds it.
function settle(stamp, tally)
  settling = true
  while spent < STEP and (untold[1] or winding[1]) do
    local tale = untold[#untold]
    local from, to = string.find(tale and tale.rest or '', '%S+', tale and tale.at)
    if from then
      tale.at, spent = to + 1, spent + 1
      notify(string.sub(tale.rest, from, to), tale.run, tale.held, tale.status, tale.cause, stamp, tale.retention, tally)
    elseif tale then
      untold[#untold] = nil
    else
      wind(table.remove(winding), stamp, tally)
    end
  end
  settling = false
  for _, tale in ipairs(untold) do
    local rest = string.sub(tale.rest, tale.at)
    if string.find(rest, '%S') then
      redis.call('HSET', P .. K.task .. tale.id, 'next', rest)
      on(K.untold, 'ZADD', tale.retention, tale.id)
    end
  end
  for _, run in ipairs(winding) do
    on(K.expiring, 'ZADD', stamp, run)
    redis.call('PERSIST', P .. K.task .. run)
    unfinished[#unfinished + 1] = run
  end
  if untold[1] or winding[1] then
    redis.call('PUBLISH', P .. K.bell, '')
  end
  untold, winding = {}, {}
end

-- Go on with what an earlier script has left of a run that has ended.
local function go_on(run, stamp, tally)
  winding[1] = run
  settle(stamp, tally)
end

-- Tell of an end of which an earlier script has left something to be told: what the record says is the truth, also when the run
-- has ended since or the task has got a new life.
local function tell_on(id, retention, stamp, tally)
  local key = P .. K.task .. id
  local more = redis.pcall('HMGET', key, 'unique', 'run', 'next', 'cause', 'parts', 'caught', 'status')
  local revived = more[2] and redis.call('HEXISTS', P .. K.task .. more[2], 'revival') == 1 -- this tells of its last life
  if more[2] and more[3] and more[7] and not FROM.cancel[more[7]] and not revived then
    advance(id, key, more, more[7], retention)
    settle(stamp, tally)
  end
end

-- Give a task of a run that is revived its new life, or keep it as it is if it has succeeded. One that somebody has requeued
-- meanwhile goes on as it is, and tells of its end.
local function revive_task(id, waits, need, following, held)
  local key = P .. K.task .. id
  local r = redis.pcall('HMGET', key, 'status', 'stands_in', 'lane')
  if type(r[1]) ~= 'string' or not r[3] then
    return -- something else lies there now, or nothing
  end
  for _, kept in ipairs({P .. K.task, P .. K.args, P .. K.result, P .. K.errors, P .. K.items}) do
    redis.call('PERSIST', kept .. id)
  end
  if following == '=' then
    redis.call('HDEL', key, 'next')
  elseif not FROM.revive[r[1]] then
    redis.call('HSET', key, 'next', following)
  else
    redis.call('ZREM', P .. K.dead, id)
    if r[2] then -- with it gone, the task is called anew
      redis.call('DEL', P .. K.task .. r[2], P .. K.args .. r[2], P .. K.result .. r[2])
      redis.call('ZREM', P .. K.dead, r[2])
    end
    redis.call('HDEL', key, 'attempt', 'crashes', 'snoozes', 'owner', 'started', 'finished', 'deadline', 'unique', 'step',
      'progress', 'beat', 'beat_due', 'slow_at', 'due', 'cause', 'missed', 'need', 'reason', 'total', 'expanded', 'broken', 'held',
      'stands_in', 'result', 'blob')
    redis.call('DEL', P .. K.open .. id, P .. K.result .. id)
    if r[1] == TO.succeed then
      redis.call('DEL', P .. K.items .. id)
    end
    redis.call('HSET', key, 'waits', waits, 'next', following, 'gated', 1, 'status', TO.revive)
    if need ~= '-' then
      redis.call('HSET', key, 'need', need)
    end
    if waits == '0' and held then
      redis.call('HSET', key, 'held', 1)
    elseif waits == '0' then
      redis.call('HSET', key, 'status', TO.unblock, 'entry', enqueue(r[3], id))
    end
  end
end

-- Give some of the tasks of a run that is revived their new life, each before those that it waits for, so that what starts finds
-- whom to tell of its end. Returns whether some are left.
local function revive_some(run)
  local place = P .. K.task .. run
  local r = redis.pcall('HMGET', place, 'revival', 'held')
  local after = string.find(r[1] or '', '^%S+ %d+ %S+ [^\n]+\n') and 1 or math.huge -- nothing can be done by garbage
  for id, waits, need, following, behind in string.gmatch(r[1] or '', '(%S+) (%d+) (%S+) ([^\n]+)\n()') do
    if spent >= STEP then
      break
    end
    revive_task(id, waits, need, following, r[2])
    after, spent = behind, spent + (following == '=' and 4 or 8)
  end
  if r[1] and after <= #r[1] then
    redis.call('HSET', place, 'revival', string.sub(r[1], after))
    return true
  end
  redis.call('HDEL', place, 'revival')
  on(K.expiring, 'ZREM', run)
  return false
end

-- Of a task of a run that is paused: what is queued is held. It gives back what it had for its lane.
local function hold_task(id, gates, now)
  redis.call('HSET', P .. K.task .. id, 'status', TO.hold, 'held', 1)
  if gates then
    give_back(id, gates, false, now, false)
  end
end

-- Hold what is queued of a run that is paused, or let go what is held of one that is not, from a byte of the list of its tasks on.
-- How far that is goes into `holding`. Returns whether some are left.
local function hold_some(run, from, now)
  local place = P .. K.task .. run
  local r = redis.pcall('HMGET', place, 'status', 'parts', 'held')
  local after = FROM.join[r[1]] and r[2] and math.min(tonumber(string.match(tostring(from), '^%d+$')) or 1, #r[2] + 1) or math.huge
  while after < math.huge and spent < STEP do
    local first, last = string.find(r[2], '%S+', after)
    after = last and last + 1 or math.huge
    local id = last and string.sub(r[2], first, last) or ''
    local key = P .. K.task .. id
    local part = last and redis.pcall('HMGET', key, 'status', 'lane', 'entry', 'held', 'gates', 'created', 'stands_in') or {}
    spent = spent + 2
    if r[3] and part[2] and FROM.hold[part[1]] then
      redis.pcall('XDEL', P .. K.lane .. part[2], part[3] or '0-0')
      hold_task(id, part[5], now)
      spent = spent + (part[5] and 7 or 3)
    elseif not r[3] and part[4] and part[2] and FROM.unblock[part[1]] then
      redis.call('HDEL', key, 'held')
      enter(id, key, part[2], part[6], not part[7] and part[5], TO.unblock, now)
      spent = spent + (part[5] and 7 or 3)
    end
  end
  if after < math.huge then
    redis.call('HSET', place, 'holding', whole(after))
    on(K.holding, 'ZADD', 'NX', whole(now), run)
    redis.call('PUBLISH', P .. K.bell, '')
    return true
  end
  redis.pcall('HDEL', place, 'holding')
  on(K.holding, 'ZREM', run)
  return false
end
