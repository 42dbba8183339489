-- Take executions back from workers that died: all whose lease has ended, or, when ids are given, those of them that
-- the named worker held. A task that lost too many workers becomes a dead letter.
-- KEYS  1 shard prefix
-- ARGV  1 how many at most, 2 crash budget, 3 retention ms of dead letters, 4 owner or '' (a worker, or worker/nonce),
--       5 1 when it was a crash and 0 when the work never started, then ids if there is an owner
-- REPLY 1 how many leases were looked at, then for each task taken back: id, owner, its status now
local now = now_ms()
local stamp = whole(now)
local budget, retention, owner, crash = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5])
local ids = {}
if owner == '' then
  ids = redis.call('ZRANGEBYSCORE', P .. K.leases, '-inf', whole(now), 'LIMIT', 0, ARGV[1])
else
  for i = 6, #ARGV do
    ids[#ids + 1] = ARGV[i]
  end
end

local reply, recent, tally = {#ids}, {}, {}
for _, id in ipairs(ids) do
  local key = P .. K.task .. id
  local r = redis.pcall('HMGET', key, 'status', 'owner', 'lane', 'crashes', 'attempt', 'gates')
  local holder = r[2] or ''
  local meant = owner == '' or holder == owner or string.match(holder, '^(.*)/') == owner
  if not (r[1] and FROM.reclaim[r[1]] and r[3]) then
    redis.call('ZREM', P .. K.leases, id) -- the record has moved on; only the lease was left behind
  elseif meant then
    redis.call('ZREM', P .. K.leases, id)
    local crashes = (tonumber(r[4]) or 0) + crash
    redis.call('HSET', key, 'crashes', crashes)
    if crashes > budget then
      local record = redis.call('HMGET', key, unpack(CLOSING))
      close(id, record, 'fail', stamp, retention, tally, 'reason',
        'poison: its worker died ' .. crashes .. ' times while running it')
      bury(id, stamp, retention)
      recent[#recent + 1] = id
      recent[#recent + 1] = TO.fail
      reply[#reply + 1] = id
      reply[#reply + 1] = holder
      reply[#reply + 1] = TO.fail
    else
      if crash == 0 then
        redis.call('HSET', key, 'attempt', (tonumber(r[5]) or 1) - 1)
      end
      redis.call('HSET', key, 'status', TO.reclaim, 'entry', enqueue_first(r[3], id), 'reason', 'its worker died')
      if r[6] then
        give_back(id, r[6], false, now, true, crash == 1 and says('reclaim', '') or nil)
      end
      reply[#reply + 1] = id
      reply[#reply + 1] = holder
      reply[#reply + 1] = TO.reclaim
    end
  end
end
remember(recent)
keep_counts(tally, now)
return reply
