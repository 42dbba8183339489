-- Submit tasks of which those with the same key come to one: debounced or throttled. An id that was submitted before, be
-- it that another task stands for it, changes nothing.
-- KEYS  1 shard prefix
-- ARGV  1 queue:priority, 2 type, 3 start deadline in ms after it is due or 0, 4 how ('d' debounce, 't' throttle, 'l' throttle
--       with the last one at the end of the period), 5 wait or period in ms, 6 longest wait in ms or 0, 7 for how many ms to
--       know an id again that made no task, then for each task: id, key, envelope, its gates or ''
-- REPLY id, other, id, other, ... for each task that was not created because another stands for it; or only why nothing was
--       done, as submit.lua tells it
local lane, kind, deadline, how = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local wait, longest, known = tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7]
local SPARE = 60000 -- ms for which a key outlives what it says, so that a promoter that is late changes nothing
local now = now_ms()
local held = {}

local function write(id, envelope, ...)
  local key = P .. K.task .. id
  if #envelope > COMPACT then
    redis.call('HDEL', key, 'env')
    redis.call('SET', P .. K.args .. id, envelope)
    redis.call('HSET', key, 'lane', lane, ...)
  else
    redis.call('DEL', P .. K.args .. id)
    redis.call('HSET', key, 'lane', lane, 'env', envelope, ...)
  end
end

local function set_deadline(id, due)
  if deadline > 0 then
    redis.call('HSET', P .. K.task .. id, 'gated', 1, 'deadline', whole(due + deadline))
  else
    redis.call('HDEL', P .. K.task .. id, 'deadline')
  end
end

local function create(id, envelope, gates, due)
  if gates ~= '' then
    redis.call('HSET', P .. K.task .. id, 'gates', gates, 'gated', 1)
  end
  if due > now then
    write(id, envelope, 'status', 'scheduled', 'type', kind, 'created', whole(now), 'due', whole(due))
    schedule(id, due)
  else
    write(id, envelope, 'status', 'queued', 'type', kind, 'created', whole(now), 'entry', enqueue(lane, id))
  end
  set_deadline(id, due)
end

-- Whether a task waits for its first start, at its own time: then that is when it was made, else nil.
local function waiting_since(id)
  local r = id and redis.pcall('HMGET', P .. K.task .. id, 'status', 'attempt', 'created') or {}
  if r[1] and FROM.promote[r[1]] and not r[2] then
    return tonumber(r[3]) or now
  end
end

-- Another task stands for this one. With an envelope, it takes over what this one says, and is due at `due`.
local function stand_for(id, other, envelope, due)
  held[#held + 1] = id
  held[#held + 1] = other
  redis.call('SET', P .. K.joined .. id, other, 'PX', known)
  if envelope then
    write(other, envelope, 'due', whole(due))
    set_deadline(other, due)
    schedule(other, due)
  end
end

local function debounce(id, name, envelope, gates)
  local other = on(name, 'GET')
  local since = waiting_since(other)
  local due = now + wait
  if since and longest > 0 then
    due = math.min(due, since + longest)
  end
  if since then
    stand_for(id, other, envelope, due)
  else
    other = id
    create(id, envelope, gates, due)
  end
  redis.call('SET', P .. name, other, 'PX', whole(math.max(0, due - now) + SPARE))
end

-- What a period is about: the task that began it, when it ends, and the one that waits for that.
local function throttle(id, name, envelope, gates)
  local first, till, last = string.match(on(name, 'GET') or '', '^(%S+) (%d+) ?(%S*)$')
  till = tonumber(till) or 0
  if last and last ~= '' and now >= till and now < till + wait then
    first, till, last = last, till + wait, '' -- the one that waited has begun a period
  end
  if now >= till then
    first, till, last = id, now + wait, ''
    create(id, envelope, gates, now)
  elseif how == 't' then
    stand_for(id, first)
  elseif waiting_since(last) then
    stand_for(id, last, envelope, till)
  else
    last = id
    create(id, envelope, gates, till)
  end
  redis.call('SET', P .. name, first .. ' ' .. whole(till) .. ' ' .. last, 'PX', whole(till - now + wait + SPARE))
end

local refused = rules_of_queue(lane, 8, 4, '', '', how == 'd')
if refused then
  return {refused}
end
for i = 8, #ARGV, 4 do
  local id, name, envelope, gates = ARGV[i], K.collapse .. ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  if redis.call('EXISTS', P .. K.task .. id) == 0 then
    local other = redis.pcall('GET', P .. K.joined .. id)
    if type(other) == 'string' then
      held[#held + 1] = id
      held[#held + 1] = other
    elseif how == 'd' then
      debounce(id, name, envelope, gates)
    else
      throttle(id, name, envelope, gates)
    end
  end
end
return held
