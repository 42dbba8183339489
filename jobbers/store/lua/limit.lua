-- Say what a limit or a rate allows; who waits for more hears of it.
-- KEYS  1 shard prefix
-- ARGV  1 'define' (by code: what was set live stays), 'set' or 'reset' (to what the code says), 2 its name, 3 amount,
--       4 ms for which a start counts or 0, 5 burst or 0 (4 and 5 only to define)
-- REPLY what it allows now, as 'amount per burst amount-in-code', or '' if there is none of this name to set
local verb, name = ARGV[1], ARGV[2]
local known = on(K.limits, 'HGET', name) or ''
local amount, per, burst, default = string.match(known, '^(%d+) (%d+) (%d+) (%d+)$')
if verb == 'define' then
  local overridden = amount and amount ~= default
  amount, per, burst, default = overridden and amount or ARGV[3], ARGV[4], ARGV[5], ARGV[3]
elseif not amount then
  return ''
else
  amount = verb == 'set' and ARGV[3] or default
end
local text = table.concat({amount, per, burst, default}, ' ')
if text ~= known then
  on(K.limits, 'HSET', name, text)
  local gates, now = on(K.gates, 'SMEMBERS'), now_ms()
  table.sort(gates)
  for _, gate in ipairs(gates) do
    local base = string.match(gate, '^[^=]+')
    if base == name or string.match(base, '^[^@]*@') == name then
      look_again(gate, now)
    end
  end
end
return text
