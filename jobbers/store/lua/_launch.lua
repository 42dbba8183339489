-- How tasks and runs begin. Put before every script, behind `_gates.lua`.

-- The task that holds a unique key, if it is another than `id`.
local function holder_of(unique, scope, id)
  local holder = redis.call('GET', P .. K.unique .. unique)
  if not holder or holder == id then
    return nil
  end
  local status = redis.call('HGET', P .. K.task .. holder, 'status')
  if scope ~= 't' and (not status or not FROM.cancel[status]) then
    return nil -- its record is final or gone: the key was left behind
  end
  return holder
end

-- What the record of a new task says besides, as names and values. Its unique key, which must be free, is taken, and an
-- envelope that is long is put into its place.
local function particulars(id, envelope, now, deadline, unique, scope, ttl, gates)
  local extra = {}
  if #envelope > COMPACT then
    redis.call('SET', P .. K.args .. id, envelope)
  else
    extra = {'env', envelope}
  end
  if deadline > 0 or unique ~= '' or gates ~= '' then
    extra[#extra + 1] = 'gated'
    extra[#extra + 1] = 1
  end
  if deadline > 0 then
    extra[#extra + 1] = 'deadline'
    extra[#extra + 1] = whole(now + deadline)
  end
  if unique ~= '' then
    extra[#extra + 1] = 'unique'
    extra[#extra + 1] = scope .. ':' .. unique
    redis.call('SET', P .. K.unique .. unique, id)
    if ttl > 0 then
      redis.call('PEXPIRE', P .. K.unique .. unique, ttl)
    end
  end
  if gates ~= '' then
    extra[#extra + 1] = 'gates'
    extra[#extra + 1] = gates
  end
  return extra
end

-- How many of the tasks from ARGV[first] on would be made: a call that is sent again must not be refused for what it has done.
local function new_ones(first, stride, unique, scope)
  local number = 0
  for i = first, #ARGV, stride do
    local there = redis.call('EXISTS', P .. K.task .. ARGV[i]) == 1
    if not there and not (unique ~= '' and holder_of(unique, scope, ARGV[i])) then
      number = number + 1
    end
  end
  return number
end

-- What the rules of a queue say to new tasks, of which each takes `stride` words from ARGV[first] on: why it takes none of
-- them, or nil and, if its oldest make room, how long it may be.
local function rules_of_queue(lane, first, stride, unique, scope, delayed)
  local queue = string.sub(lane, 1, -3)
  local rules = redis.pcall('HMGET', P .. K.queues, 'drain:' .. queue, 'live:' .. queue, 'code:' .. queue)
  if not (rules[1] or rules[2] or rules[3]) then
    return nil
  end
  local limit, policy = string.match(rules[2] or rules[3] or '', '^(%d+) (%l+)')
  limit = delayed and 0 or tonumber(limit) or 0
  if rules[1] and new_ones(first, stride, unique, scope) > 0 then
    return 'draining'
  elseif limit > 0 and policy == 'refuse' then
    local fresh = new_ones(first, stride, unique, scope)
    local parked = tonumber(on(K.parked, 'HGET', queue)) or 0
    if fresh > 0 and queue_length(queue) + parked + fresh > limit then
      return 'full'
    end
  end
  return nil, limit > 0 and policy == 'drop' and limit
end

-- Create a task of a run out of the nine arguments from `i` on, in the order of `launch`. With `ahead` its run is not there yet:
-- it goes by itself if that never comes, and what waits for nobody is held until then.
local function make_task(run, i, created, now, ahead)
  local id, lane, envelope = ARGV[i], ARGV[i + 2], ARGV[i + 3]
  local key = P .. K.task .. id
  local more = {}
  for name, value in string.gmatch(ARGV[i + 8], '(%w+)=(%S+)') do
    more[#more + 1] = name
    more[#more + 1] = value
  end
  if #envelope > COMPACT then
    redis.call('SET', P .. K.args .. id, envelope)
  else
    more[#more + 1] = 'env'
    more[#more + 1] = envelope
  end
  local starts = ARGV[i + 4] == '0'
  if ahead and starts then
    more[#more + 1] = 'held'
    more[#more + 1] = 1
  end
  redis.call('HSET', key, 'status', 'blocked', 'type', ARGV[i + 1], 'lane', lane, 'created', created, 'gated', 1, 'run', run,
    'waits', ARGV[i + 4], 'next', ARGV[i + 5], 'node', ARGV[i + 6], 'trigger', ARGV[i + 7], unpack(more))
  if ahead then
    redis.call('PEXPIRE', key, ahead)
    if #envelope > COMPACT then
      redis.call('PEXPIRE', P .. K.args .. id, ahead)
    end
  elseif starts then
    enter(id, key, lane, created, string.match(ARGV[i + 8], 'gates=(%S+)'), TO.unblock, now)
  end
end

-- Create the record of a run out of the eight arguments from `first` on, in the order of `launch`, with the ids of its tasks.
local function make_run(first, parts, created)
  local run = ARGV[first]
  redis.call('HSET', P .. K.task .. run, 'status', 'blocked', 'type', ARGV[first + 1], 'lane', 'runs:5', 'created', created,
    'gated', 1, 'env', ARGV[first + 2], 'plan', ARGV[first + 3], 'output', ARGV[first + 4], 'waits', ARGV[first + 5],
    'parts', parts)
  if ARGV[first + 6] ~= '' then
    redis.call('HSET', P .. K.task .. run, 'map', ARGV[first + 6], 'index', 0)
  else
    on(K.runs, 'ZADD', created, run)
  end
  if ARGV[first + 7] ~= '0' then
    local at = whole(created + ARGV[first + 7])
    redis.call('HSET', P .. K.task .. run, 'expires', at)
    on(K.expiring, 'ZADD', at, run)
    if redis.call('ZRANGE', P .. K.expiring, 0, 0)[1] == run then
      redis.call('PUBLISH', P .. K.bell, '')
    end
  end
end

-- Create a run and all its tasks out of the arguments from `first` to `last`, in the order of `launch`, if it is not there.
local function launch_run(first, last)
  local run = ARGV[first]
  local now = now_ms()
  local created = whole(now)
  if redis.call('EXISTS', P .. K.task .. run) == 0 then
    local parts = {}
    for i = first + 8, last, 9 do
      parts[#parts + 1] = ARGV[i]
      make_task(run, i, created, now)
    end
    make_run(first, table.concat(parts, ' '), created)
  end
end
