-- A rebuild is about to read the diary. The ticket that it is given lies here as long as Redis forgets nothing.
-- KEYS: rebuilds     ARGV: tickets forgotten after ms

local time, now = redis.call('TIME'), now_ms()
local ticket = time[1] .. '.' .. time[2]
redis.call('ZREMRANGEBYSCORE', KEYS[1], 0, whole(now - tonumber(ARGV[1])))
redis.call('ZADD', KEYS[1], whole(now), ticket)
return ticket
