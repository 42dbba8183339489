-- Run plain commands, also on a server at its memory limit, which would refuse them if they came by themselves.
-- KEYS  1 what their keys begin with
-- ARGV  for each command: how many words, then the words
-- REPLY for each command its reply, or '!' and its error
local replies, at = {}, 1
while at <= #ARGV do
  local last = at + tonumber(ARGV[at])
  local reply = redis.pcall(unpack(ARGV, at + 1, last))
  if type(reply) == 'table' and (reply.err or reply.ok) then
    reply = reply.ok or '!' .. tostring(reply.err)
  end
  replies[#replies + 1] = reply
  at = last + 1
end
return replies
