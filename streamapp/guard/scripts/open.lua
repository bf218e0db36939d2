-- A rebuild has written everything: set the epoch, above every earlier one that this Redis has not forgotten, also if the
-- rebuild before this one broke off with the epoch missing. Answers it.
-- Not if Redis has forgotten anything since the rebuild began: half of what was written may be gone.
-- KEYS: epoch, rebuilds, highest epoch     ARGV: ticket, epoch by the diary

if redis.call('ZREM', KEYS[2], ARGV[1]) == 0 then
  return 'no'
end
local present, highest = redis.call('GET', KEYS[1]), redis.call('GET', KEYS[3])
local epoch = math.max(tonumber(ARGV[2]), tonumber(present or 0) + 1, tonumber(highest or 0) + 1)
redis.call('SET', KEYS[3], whole(epoch))
redis.call('SET', KEYS[1], whole(epoch))
return whole(epoch)
