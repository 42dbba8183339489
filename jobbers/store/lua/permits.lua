-- Bring the permits of gates back in line with records: one that no living task holds goes to the next in line.
-- KEYS  1 shard prefix
-- ARGV  1 1 to repair or 0 to look only, then gates
-- REPLY gate, what is wrong, ...
local mend = ARGV[1] == '1'
local now = now_ms()
local found = {}

-- Whether a task may hold a permit now: before its end if it got it when it was submitted, else from its lane to the end of
-- its execution.
local function may_hold(id, name, weight)
  local r = redis.pcall('HMGET', P .. K.task .. id, 'status', 'gates')
  if not (r[1] and r[2]) then
    return false
  end
  for mode, number, other in string.gmatch(r[2], GATES) do
    if other == name and (mode == 'f' and '1' or number) == weight then
      return FROM.claim[r[1]] or mode ~= 'f' and FROM.succeed[r[1]] or string.find(ON_SUBMIT, mode, 1, true) and FROM.cancel[r[1]]
    end
  end
  return false
end

for i = 2, #ARGV do
  local name = ARGV[i]
  local sum, extra, wrong, before = 0, 0, 0, #found
  for _, permit in ipairs(on(K.permits .. name, 'ZRANGEBYSCORE', FIRST_TIME, 'inf')) do
    local weight, id, started = string.match(permit, '^(%d+) (%S+)( ?)')
    if id and (started ~= '' or may_hold(id, name, weight)) then
      sum, extra = sum + tonumber(weight), extra + tonumber(weight) - 1
    else
      wrong = wrong + 1
      if mend then
        redis.call('ZREM', P .. K.permits .. name, permit)
      end
    end
  end
  if wrong > 0 then
    found[#found + 1] = name
    found[#found + 1] = wrong .. ' permits are held by nobody'
  elseif sum ~= in_use(name, 0, now) then
    found[#found + 1] = name
    found[#found + 1] = 'its permits do not add up'
  end
  if mend and #found > before then
    redis.call('ZREM', P .. K.permits .. name, '#')
    weigh(name, extra)
  end
  if mend then
    hand_over(name, now)
  end
end
return found
