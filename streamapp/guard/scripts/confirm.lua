-- Is the claim still the caller's and its lease alive? Then renew it, and remember that its start is in the diary.
-- KEYS: epoch, task     ARGV: epoch, claim, worker, lease ms, retention ms

if not redis.call('GET', KEYS[1]) then
  return {'not-ready'}
end
local now = now_ms()
local task = read(KEYS[2], 'status', 'epoch', 'claim', 'owner', 'until')
if task.status ~= 'active' or not is_current(task, ARGV[1], ARGV[2], ARGV[3]) or tonumber(task['until']) <= now then
  return {'no'}
end
redis.call('HSET', KEYS[2], 'until', whole(now + tonumber(ARGV[4])), 'started', '1')
redis.call('PEXPIRE', KEYS[2], ARGV[5])
return {'yes'}
