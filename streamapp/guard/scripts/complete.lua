-- Keep the outcome of the claim, if it is still the current one. Asked twice (a lost answer), it says yes twice.
-- KEYS: epoch, task     ARGV: epoch, claim, worker, attempt, record, success (0 or 1), retention ms

if not redis.call('GET', KEYS[1]) then
  return {'not-ready'}
end
local task = read(KEYS[2], 'status', 'epoch', 'claim', 'owner', 'attempt')
if not task.status or not is_current(task, ARGV[1], ARGV[2], ARGV[3], ARGV[4]) then
  return {'no'}
end
if task.status == 'outcome' or task.status == 'ended' then
  return {'yes'}
end
-- 'rebuilt': the guard was lost and rebuilt while the handler ran; its claim was found in the diary and nobody took it.
if task.status ~= 'active' and task.status ~= 'rebuilt' then
  return {'no'}
end
redis.call('HSET', KEYS[2], 'status', 'outcome', 'record', ARGV[5], 'success', ARGV[6])
redis.call('PEXPIRE', KEYS[2], ARGV[7])
return {'yes'}
