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

-- Create a run and all its tasks out of the arguments from `first` to `last`, in the order of `launch`. Returns 1, or 0 when it
-- was there.
local function launch_run(first, last)
  local run, kind = ARGV[first], ARGV[first + 1]
  local now = now_ms()
  local created = whole(now)
  if redis.call('EXISTS', P .. K.task .. run) == 1 then
    return 0
  end
  local parts = {}
  for i = first + 8, last, 9 do
    local id, lane, envelope = ARGV[i], ARGV[i + 2], ARGV[i + 3]
    local key = P .. K.task .. id
    parts[#parts + 1] = id
    redis.call('HSET', key, 'type', ARGV[i + 1], 'lane', lane, 'created', created, 'gated', 1, 'run', run,
      'waits', ARGV[i + 4], 'next', ARGV[i + 5], 'node', ARGV[i + 6], 'trigger', ARGV[i + 7])
    for name, value in string.gmatch(ARGV[i + 8], '(%w+)=(%S+)') do
      redis.call('HSET', key, name, value)
    end
    if #envelope > COMPACT then
      redis.call('SET', P .. K.args .. id, envelope)
    else
      redis.call('HSET', key, 'env', envelope)
    end
    if ARGV[i + 4] == '0' then
      enter(id, key, lane, created, string.match(ARGV[i + 8], 'gates=(%S+)'), TO.unblock, now)
    else
      redis.call('HSET', key, 'status', 'blocked')
    end
  end
  redis.call('HSET', P .. K.task .. run, 'status', 'blocked', 'type', kind, 'lane', 'runs:5', 'created', created,
    'gated', 1, 'env', ARGV[first + 2], 'plan', ARGV[first + 3], 'output', ARGV[first + 4], 'waits', ARGV[first + 5],
    'parts', table.concat(parts, ' '))
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
  return 1
end
