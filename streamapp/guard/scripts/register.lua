-- A worker says that it lives, what it is, and which jobs wait in it.
-- KEYS: workers, worker:<id>, jobs:waiting, then the task of each waiting job
-- ARGV: worker, lives for ms, waiting jobs forgotten after ms, number of fields n, n field/value pairs, then the waiting
--       jobs as pairs of job and attempt

local now, lives = now_ms(), tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], 0, whole(now))
redis.call('ZADD', KEYS[1], whole(now + lives), ARGV[1])
local pairs_end = 4 + 2 * tonumber(ARGV[4])
redis.call('HSET', KEYS[2], unpack(ARGV, 5, pairs_end))
redis.call('PEXPIRE', KEYS[2], lives)
redis.call('ZREMRANGEBYSCORE', KEYS[3], 0, whole(now - tonumber(ARGV[3])))
for index = 4, #KEYS do
  local job, attempt = ARGV[pairs_end + 2 * (index - 4) + 1], tonumber(ARGV[pairs_end + 2 * (index - 4) + 2])
  local task = read(KEYS[index], 'status', 'attempt')
  -- The list was drawn up a moment ago: a job claimed since then waits no longer.
  local over = task.status and task.status ~= 'released' and task.status ~= 'rebuilt' and tonumber(task.attempt) >= attempt
  if not over then
    redis.call('ZADD', KEYS[3], 'NX', whole(now), job)
  end
end
return 'yes'
