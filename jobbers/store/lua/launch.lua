-- Create a run: its own record and all its tasks, at once. A run that exists is left alone.
-- KEYS  1 shard prefix
-- ARGV  1 run id, 2 its type, 3 its envelope, 4 its plan, 5 its output, 6 for how many tasks it waits, 7 the task in whose place it
--       runs or '', 8 ms until its deadline or 0, then for each task: id, type,
--       lane, envelope, for how many it waits, the ids to tell of its end, its node's name, its trigger, more fields as
--       'name=value' with blanks between
-- REPLY 1 if it was created, 0 if it was there
return launch_run(1, #ARGV)
