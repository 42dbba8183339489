-- Create a run: its own record and all its tasks, at once. A run that exists is left alone.
-- KEYS  1 shard prefix
-- ARGV  1 run id, 2 its type, 3 its envelope, 4 its plan, 5 its output, 6 for how many tasks it waits, 7 the task in whose place it
--       runs or '', 8 ms until its deadline or 0, then for each task: id, type,
--       lane, envelope, for how many it waits, the ids to tell of its end, its node's name, its trigger, more fields as
--       'name=value' with blanks between
-- REPLY 1 if it was created, 0 if it was there
local run, kind = ARGV[1], ARGV[2]
local created = whole(now_ms())
if redis.call('EXISTS', P .. K.task .. run) == 1 then
  return 0
end
local parts = {}
for i = 9, #ARGV, 9 do
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
    redis.call('HSET', key, 'status', TO.unblock, 'entry', enqueue(lane, id))
  else
    redis.call('HSET', key, 'status', 'blocked')
  end
end
redis.call('HSET', P .. K.task .. run, 'status', 'blocked', 'type', kind, 'lane', 'runs:5', 'created', created,
  'gated', 1, 'env', ARGV[3], 'plan', ARGV[4], 'output', ARGV[5], 'waits', ARGV[6], 'parts', table.concat(parts, ' '))
if ARGV[7] ~= '' then
  redis.call('HSET', P .. K.task .. run, 'map', ARGV[7], 'index', 0)
else
  on(K.runs, 'ZADD', created, run)
end
if ARGV[8] ~= '0' then
  local at = whole(created + ARGV[8])
  redis.call('HSET', P .. K.task .. run, 'expires', at)
  on(K.expiring, 'ZADD', at, run)
  if redis.call('ZRANGE', P .. K.expiring, 0, 0)[1] == run then
    redis.call('PUBLISH', P .. K.bell, '')
  end
end
return 1
