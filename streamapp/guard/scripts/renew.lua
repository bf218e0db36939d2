-- Renew many leases of one worker. Answers 1 or 0 for each, in order; 0: the claim is lost.
-- A lapsed lease that nobody has taken meanwhile is still this worker's and lives again, as does a claim that a rebuild
-- has found in the diary.
-- KEYS: epoch, task…     ARGV: worker, lease ms, retention ms, then epoch, claim and attempt of each task

if not redis.call('GET', KEYS[1]) then
  return 'not-ready'
end
local renewed, lapses = {}, whole(now_ms() + tonumber(ARGV[2]))
for index = 2, #KEYS do
  local task = read(KEYS[index], 'status', 'epoch', 'claim', 'owner', 'attempt')
  local first = 3 * index - 2
  local held = task.status == 'active' or task.status == 'rebuilt'
  if held and is_current(task, ARGV[first], ARGV[first + 1], ARGV[1], ARGV[first + 2]) then
    redis.call('HSET', KEYS[index], 'status', 'active', 'until', lapses)
    redis.call('PEXPIRE', KEYS[index], ARGV[3])
    renewed[#renewed + 1] = 1
  else
    renewed[#renewed + 1] = 0
  end
end
return renewed
