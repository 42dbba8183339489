-- Give a run that has ended another life: some of its tasks run again, and what the others returned is kept. All or nothing.
-- KEYS  1 shard prefix
-- ARGV  1 run id, 2 the name of this call, 3 for how many tasks the run waits, then for each of its tasks: id, for how many
--       others it waits, the ids to tell of its end ('' for one that has succeeded), how many of its parents must succeed or ''
-- REPLY what was wrong: 'done', or 'run', 'gone' or 'busy' and the id of the run or the task; 'done' again when the same
--       call is sent again
local run, call = ARGV[1], ARGV[2]
local place = P .. K.task .. run
local status = redis.pcall('HGET', place, 'status')
if redis.call('HGET', place, 'call') == call .. ' revive' then
  return {'done', run}
end
if type(status) ~= 'string' or not FROM.revive[status] or redis.call('HEXISTS', place, 'parts') == 0 then
  return {'run', run}
end
for i = 4, #ARGV, 4 do
  local now = redis.pcall('HGET', P .. K.task .. ARGV[i], 'status')
  if type(now) ~= 'string' then
    return {'gone', ARGV[i]}
  end
  if ARGV[i + 2] == '' and now ~= TO.succeed or ARGV[i + 2] ~= '' and not FROM.revive[now] then
    return {'busy', ARGV[i]}
  end
end

local function keep(id)
  for _, kept in ipairs({P .. K.task, P .. K.args, P .. K.result, P .. K.errors, P .. K.items}) do
    redis.call('PERSIST', kept .. id)
  end
end

for i = 4, #ARGV, 4 do
  local id, waits, following = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local key = P .. K.task .. id
  local now = redis.call('HGET', key, 'status')
  keep(id)
  if following ~= '' then
    redis.call('ZREM', P .. K.dead, id)
    local run_there = redis.call('HGET', key, 'stands_in')
    if run_there then -- with it gone, the task is called anew
      redis.call('DEL', P .. K.task .. run_there, P .. K.args .. run_there, P .. K.result .. run_there)
      redis.call('ZREM', P .. K.dead, run_there)
    end
    redis.call('HDEL', key, 'attempt', 'crashes', 'snoozes', 'owner', 'started', 'finished', 'deadline', 'unique', 'step',
      'progress', 'beat', 'beat_due', 'slow_at', 'due', 'cause', 'missed', 'need', 'reason', 'total', 'expanded', 'broken', 'held',
      'stands_in', 'result', 'blob')
    redis.call('DEL', P .. K.open .. id, P .. K.result .. id)
    if now == TO.succeed then
      redis.call('DEL', P .. K.items .. id)
    end
    redis.call('HSET', key, 'waits', waits, 'next', following, 'gated', 1)
    if ARGV[i + 3] ~= '' then
      redis.call('HSET', key, 'need', ARGV[i + 3])
    end
    if waits == '0' then
      redis.call('HSET', key, 'status', TO.unblock, 'entry', enqueue(redis.call('HGET', key, 'lane'), id))
    else
      redis.call('HSET', key, 'status', TO.revive)
    end
  end
end
keep(run)
redis.call('ZREM', P .. K.dead, run)
redis.call('HDEL', place, 'cause', 'reason', 'finished', 'result', 'held', 'expires')
redis.call('DEL', P .. K.result .. run)
redis.call('HSET', place, 'status', TO.revive, 'waits', ARGV[3], 'call', call .. ' revive')
return {'done', run}
