-- Handed back on purpose: no death, and free for the next worker at once.
-- KEYS: epoch, task, jobs:waiting, jobs:active     ARGV: epoch, claim, worker, attempt, task id

if not redis.call('GET', KEYS[1]) then
  return {'not-ready'}
end
local task = read(KEYS[2], 'status', 'epoch', 'claim', 'owner', 'attempt')
local open = task.status == 'active' or task.status == 'rebuilt'
if not open or not is_current(task, ARGV[1], ARGV[2], ARGV[3], ARGV[4]) then
  return {'no'}
end
redis.call('HSET', KEYS[2], 'status', 'released', 'until', 0)
local job = ARGV[5] .. ':' .. ARGV[4]
redis.call('ZREM', KEYS[4], job)
redis.call('ZADD', KEYS[3], whole(now_ms()), job)
return {'yes'}
