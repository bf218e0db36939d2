-- The stored outcome is durable in the diary: from now on only the fact that it ended is remembered.
-- KEYS: epoch, task, jobs:waiting, jobs:active, jobs:completed, jobs:failed
-- ARGV: epoch, claim, task id, attempt, retention ms, finished jobs kept

if not redis.call('GET', KEYS[1]) then
  return {'not-ready'}
end
local task = read(KEYS[2], 'status', 'epoch', 'claim', 'success')
-- Whoever appended the outcome may say so: the claimant, or another worker that was told the outcome as known.
if task.status ~= 'outcome' or task.epoch ~= ARGV[1] or task.claim ~= ARGV[2] then
  return {task.status == 'ended' and 'yes' or 'no'}
end
redis.call('HDEL', KEYS[2], 'record')
redis.call('HSET', KEYS[2], 'status', 'ended')
redis.call('PEXPIRE', KEYS[2], ARGV[5])
local job = ARGV[3] .. ':' .. ARGV[4]
local finished = task.success == '1' and KEYS[5] or KEYS[6]
redis.call('ZREM', KEYS[3], job)
redis.call('ZREM', KEYS[4], job)
redis.call('ZADD', finished, whole(now_ms()), job)
redis.call('ZREMRANGEBYRANK', finished, 0, -1 - tonumber(ARGV[6]))
return {'yes'}
