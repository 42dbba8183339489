-- Accept results like succeed.lua, and claim for the same worker what each of them lets start, without a way through a lane.
-- KEYS  1 shard prefix
-- ARGV  1 lease ms, then for each task: id, owner, retention ms, 'result' or 'blob', the result or the name of its blob,
--       the task that may follow
-- REPLY 1 how many were refused, then their ids, then for each task that follows: id, lane, type, attempt, crashes,
--       snoozes, created, envelope (or false if lost); the same when the same call is sent again
local now = now_ms()
local stamp, lease_end = whole(now), whole(now + ARGV[1])
local refused, done, recent, tally = {}, {}, {}, {}
local found, leases = {}, {}
for i = 2, #ARGV, 6 do
  local id, owner, next_one = ARGV[i], ARGV[i + 1], ARGV[i + 5]
  local record = redis.pcall('HMGET', P .. K.task .. id, unpack(CLOSING))
  local place = P .. K.task .. next_one
  if holds(record, owner) then
    local wanted = redis.call('HMGET', place, 'lane', 'gates')
    heir, heir_owner = next_one, owner
    if wanted[2] or redis.call('SISMEMBER', P .. K.paused, string.sub(wanted[1] or '', 1, -3)) == 1 then
      heir = ''
    end
    accept(id, record, ARGV[i + 3], ARGV[i + 4], ARGV[i + 2], stamp, tally, recent)
    done[#done + 1] = id
  elseif record[1] ~= TO.succeed or record[2] ~= owner then
    refused[#refused + 1] = id
    owner = ''
  end
  local r = redis.pcall('HMGET', place, 'status', 'owner', 'lane', 'type', 'attempt', 'crashes', 'snoozes', 'created', 'env')
  if r[1] == TO.follow and r[2] == owner then
    if done[#done] == id then
      leases[#leases + 1], leases[#leases + 2] = lease_end, next_one
    end
    local envelope = r[9] or redis.pcall('GET', P .. K.args .. next_one)
    local row = {next_one, r[3], r[4], tonumber(r[5]), tonumber(r[6]) or 0, tonumber(r[7]) or 0, tonumber(r[8]) or 0,
      type(envelope) == 'string' and envelope}
    for n = 1, 8 do
      found[#found + 1] = row[n]
    end
  end
end
if #done > 0 then
  redis.call('ZREM', P .. K.leases, unpack(done))
  remember(recent)
  keep_counts(tally, now)
end
if #leases > 0 then
  redis.call('ZADD', P .. K.leases, unpack(leases))
end
local reply = {#refused}
for _, list in ipairs({refused, found}) do
  for n = 1, #list do
    reply[#reply + 1] = list[n]
  end
end
return reply
