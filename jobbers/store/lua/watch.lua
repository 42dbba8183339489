-- Ask to be told when tasks move.
-- KEYS  1 shard prefix
-- ARGV  1 inbox, then ids
-- REPLY for each id its status, or '' when there is no such task
local inbox = ARGV[1]
local reply = {}
for i = 2, #ARGV do
  local key = P .. K.task .. ARGV[i]
  local r = redis.pcall('HMGET', key, 'status', 'watch')
  reply[#reply + 1] = r[1] or ''
  if r[1] and FROM.cancel[r[1]] then -- not final
    local watch = r[2] or ''
    if not string.find(' ' .. watch .. ' ', ' ' .. inbox .. ' ', 1, true) then
      if #watch > 1000 then
        watch = string.match(watch, '%s(.*)') or '' -- the oldest watcher falls back to polling
      end
      redis.call('HSET', key, 'watch', watch == '' and inbox or watch .. ' ' .. inbox)
    end
  end
end
return reply
