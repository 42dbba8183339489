-- Say what limits and rates allow; who waits for more hears of it.
-- KEYS  1 shard prefix
-- ARGV  1 'define', then for each: name, amount, ms for which a start counts or 0, burst or 0 (by code: what was set live
--       stays); or 1 'set', 2 name, 3 amount; or 1 'reset' (to what the code says), 2 name
-- REPLY 1, or 0 if there is none of this name to set
local verb = ARGV[1]
local changed = {}

local function write(name, amount, per, burst, default)
  local text = table.concat({amount, per, burst, default}, ' ')
  if text ~= on(K.limits, 'HGET', name) then
    on(K.limits, 'HSET', name, text)
    changed[name] = true
  end
end

local function known(name)
  return string.match(on(K.limits, 'HGET', name) or '', '^(%d+) (%d+) (%d+) (%d+)$')
end

if verb == 'define' then
  for i = 2, #ARGV, 4 do
    local amount, _, _, default = known(ARGV[i])
    local live = amount and amount ~= default
    write(ARGV[i], live and amount or ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 1])
  end
else
  local amount, per, burst, default = known(ARGV[2])
  if not amount then
    return 0
  end
  write(ARGV[2], verb == 'set' and ARGV[3] or default, per, burst, default)
end
if next(changed) then
  local gates, now = on(K.gates, 'SMEMBERS'), now_ms()
  table.sort(gates)
  for _, gate in ipairs(gates) do
    local base = string.match(gate, '^[^=]+')
    if changed[base] or changed[string.match(base, '^[^@]*@') or ''] then
      look_again(gate, now)
    end
  end
end
return 1
