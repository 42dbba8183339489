-- Give failed or cancelled tasks a new life: attempts, crashes and snoozes start over, errors stay.
-- KEYS  1 shard prefix
-- ARGV  1 reason, 2 the name of this call, then for each task: id, a new envelope or ''
-- REPLY for each id its status before, or '' when there is no such task; the same when the same call is sent again
local call = ARGV[2]
local before = {}
for i = 3, #ARGV, 2 do
  local id, envelope = ARGV[i], ARGV[i + 1]
  local key = P .. K.task .. id
  local record = redis.pcall('HMGET', key, 'status', 'lane', 'parts')
  local status = record[1]
  local first, repeated = before_call(key, call, status)
  before[#before + 1] = first
  if status and not repeated and FROM.requeue[status] and not record[3] then -- a run is no task that could be claimed
    redis.call('ZREM', P .. K.dead, id)
    redis.call('HDEL', key, 'attempt', 'crashes', 'snoozes', 'owner', 'started', 'finished', 'gated', 'deadline', 'unique',
      'step', 'progress', 'beat', 'beat_due', 'slow_at', 'due')
    redis.call('PERSIST', key)
    redis.call('PERSIST', P .. K.args .. id)
    redis.call('PERSIST', P .. K.errors .. id)
    if envelope ~= '' then
      redis.call('HDEL', key, 'env')
      redis.call('SET', P .. K.args .. id, envelope)
    end
    redis.call('HSET', key, 'status', TO.requeue, 'entry', enqueue(record[2], id), 'reason', ARGV[1],
      'call', call .. ' ' .. status,
      'gated', 1) -- it may have errors, which the end of this life has to expire
  end
end
return before
