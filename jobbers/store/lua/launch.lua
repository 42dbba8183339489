-- Create a run: its own record and all its tasks, at once. A run that exists is left alone. Of one of many tasks `prepare` has made
-- these before; they are its own from now on, and those that wait for nobody are let go step by step.
-- KEYS  1 shard prefix
-- ARGV  1 run id, 2 its type, 3 its envelope, 4 its plan, 5 its output, 6 for how many tasks it waits, 7 the task in whose place it
--       runs or '', 8 ms until its deadline or 0, then for each task: id, type,
--       lane, envelope, for how many it waits, the ids to tell of its end, its node's name, its trigger, more fields as
--       'name=value' with blanks between; or, instead of all of these, the ids of its tasks, with blanks between
-- REPLY 'done'; 'more' when tasks are left to be let go: `hold` does that, and `promote`; 'gone' when tasks are not there any more,
--       and nothing was done
local run, ids = ARGV[1], #ARGV == 9 and ARGV[9]
if not ids then
  launch_run(1, #ARGV)
  return 'done'
end
if redis.call('EXISTS', P .. K.task .. run) == 1 then
  return redis.call('HEXISTS', P .. K.task .. run, 'holding') == 1 and 'more' or 'done'
end
local keys, args = {}, {}
for id in string.gmatch(ids, '%S+') do
  keys[#keys + 1], args[#args + 1] = P .. K.task .. id, P .. K.args .. id
end
local there = 0
for from = 1, #keys, 1000 do
  there = there + redis.call('EXISTS', unpack(keys, from, math.min(from + 999, #keys)))
end
if there < #keys then
  return 'gone'
end
for number = 1, #keys do
  redis.call('PERSIST', keys[number])
  redis.call('PERSIST', args[number])
end
local now = now_ms()
make_run(1, ids, whole(now))
spent = STEP -- to look at so many took its time
return hold_some(run, '1', now) and 'more' or 'done'
