-- Give a run that has ended another life: some of its tasks run again, and what the others returned is kept. All or nothing: what
-- is to be done is noted with the run, and done step by step.
-- KEYS  1 shard prefix
-- ARGV  1 run id, 2 the name of this call, and, but to go on with it, 3 for how many tasks the run waits, then for each of its
--       tasks, behind those that it waits for: id, for how many others it waits, the ids to tell of its end ('' for one that has
--       succeeded), how many of its parents must succeed or ''
-- REPLY what was wrong: 'done', or 'run', 'gone' or 'busy' and the id of the run or the task; 'more' when tasks are left: then
--       the call is to be sent again; 'done' again when the same call is sent again
local run, call = ARGV[1], ARGV[2]
local place = P .. K.task .. run
local now = now_ms()
local status = redis.pcall('HGET', place, 'status')
if redis.pcall('HGET', place, 'call') == call .. ' revive' then
  return {revive_some(run) and 'more' or 'done', run}
end
if not ARGV[3] then
  return {'done', run} -- somebody else has finished it, and done more
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
local lines = {}
for i = #ARGV - 3, 4, -4 do -- those first for which others wait last
  local need, following = ARGV[i + 3], ARGV[i + 2]
  lines[#lines + 1] = ARGV[i] .. ' ' .. ARGV[i + 1] .. ' ' .. (need == '' and '-' or need) .. ' '
    .. (following == '' and '=' or following) .. '\n'
  redis.call('PERSIST', P .. K.task .. ARGV[i])
  redis.call('PERSIST', P .. K.args .. ARGV[i])
end
for _, kept in ipairs({P .. K.task, P .. K.args, P .. K.result, P .. K.errors, P .. K.items}) do
  redis.call('PERSIST', kept .. run)
end
redis.call('ZREM', P .. K.dead, run)
redis.call('HDEL', place, 'cause', 'reason', 'finished', 'result', 'held', 'expires', 'winding')
redis.call('DEL', P .. K.result .. run)
redis.call('HSET', place, 'status', TO.revive, 'waits', ARGV[3], 'call', call .. ' revive', 'revival', table.concat(lines))
on(K.expiring, 'ZADD', whole(now), run) -- where `promote` finds it if the caller does not go on
spent = #ARGV > 400 and STEP or 0 -- to look at many took its time
return {revive_some(run) and 'more' or 'done', run}
