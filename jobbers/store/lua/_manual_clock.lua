-- For the testing kit only, put between the helpers and a script: the shard's clock runs ahead of the server's by the
-- ms that K.clock holds.

local server_ms = now_ms

local function now_ms()
  return server_ms() + (tonumber(redis.call('GET', P .. K.clock)) or 0)
end
