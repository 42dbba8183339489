-- Make the next tasks of a map, by the execution that holds it. Items that were made before, or have succeeded in an
-- earlier life of the map, are left alone.
-- KEYS  1 shard prefix
-- ARGV  1 map, 2 owner, 3 type of the tasks, 4 index of the first item, then for each item: id, lane, envelope, its gates or ''
-- REPLY how many items have been made in all, or -1 when the map is not the caller's any more
local map, owner, kind, index = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local place = P .. K.task .. map
local record = redis.pcall('HMGET', place, 'status', 'owner', 'run', 'expanded')
if not holds(record, owner) then
  return -1
end
local now = now_ms()
local created = whole(now)
local expanded = tonumber(record[4]) or 0
for i = 5, #ARGV, 4 do
  local id, lane, envelope, gates = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  if index >= expanded then
    expanded = index + 1
    if on(K.items .. map, 'HEXISTS', index) == 0 then
      local key = P .. K.task .. id
      redis.call('HSET', key, 'type', kind, 'lane', lane, 'created', created, 'gated', 1, 'run', record[3], 'map', map,
        'index', index)
      if gates ~= '' then
        redis.call('HSET', key, 'gates', gates)
      end
      enter(id, key, lane, moment(created, (i - 5) / 4), gates, TO.unblock, now)
      if #envelope > COMPACT then
        redis.call('SET', P .. K.args .. id, envelope)
      else
        redis.call('HSET', key, 'env', envelope)
      end
      on(K.open .. map, 'SADD', id)
    end
  end
  index = index + 1
end
redis.call('HSET', place, 'expanded', expanded)
return expanded
