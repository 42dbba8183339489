-- Delete dead letters for good; tasks in any other status are left alone.
-- KEYS  1 shard prefix
-- ARGV  ids
-- REPLY how many were deleted
local dropped = 0
for _, id in ipairs(ARGV) do
  local key = P .. K.task .. id
  if redis.pcall('HGET', key, 'status') == TO.fail then
    redis.call('DEL', key, P .. K.args .. id, P .. K.errors .. id, P .. K.result .. id)
    redis.call('ZREM', P .. K.dead, id)
    dropped = dropped + 1
  end
end
return dropped
