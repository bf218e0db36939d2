-- Is the claim still the caller's and its lease alive? Then renew it, and remember that its start is in the
-- diary and that it is about to run.
-- KEYS: epoch, task     ARGV: epoch, claim, worker, attempt, lease ms, retention ms

if not redis.call('GET', KEYS[1]) then
  return {'not-ready'}
end
local now = now_ms()
local task = read(KEYS[2], 'status', 'epoch', 'claim', 'owner', 'attempt', 'until')
local current = is_current(task, ARGV[1], ARGV[2], ARGV[3], ARGV[4])
if task.status ~= 'active' or not current or tonumber(task['until']) <= now then
  return {'no'}
end
redis.call('HSET', KEYS[2], 'until', whole(now + tonumber(ARGV[5])), 'started', '1', 'confirmed', '1')
redis.call('PEXPIRE', KEYS[2], ARGV[6])
return {'yes'}
