-- Write one task's claim as the diary tells it. What Redis knows and the diary does not know yet is left alone.
-- KEYS: task     ARGV: attempt, epoch, claim, owner, ended (0 or 1), success (0 or 1), remembered for ms

local task = read(KEYS[1], 'status', 'attempt', 'epoch', 'claim')
if task.status then
  local attempt, epoch, claim = tonumber(task.attempt), tonumber(task.epoch), tonumber(task.claim)
  local told_attempt, told_epoch, told_claim = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
  -- Claims of a task that was forgotten are numbered anew: only within an attempt do numbers tell which one is later.
  local here = attempt == told_attempt
  if attempt > told_attempt or here and (epoch > told_epoch or (epoch == told_epoch and claim > told_claim)) then
    return 0
  end
  local same = here and epoch == told_epoch and claim == told_claim
  if same and ARGV[5] == '0' then
    return 0
  end
  -- The task may have ended by another attempt, and this outcome may not be in the diary: it stays, to be recorded by
  -- whoever asks next.
  if same and (task.status == 'outcome' or task.status == 'ended') then
    if ARGV[6] == '1' then
      redis.call('HSET', KEYS[1], 'success', '1')
    end
    return 0
  end
end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'status', ARGV[5] == '1' and 'ended' or 'rebuilt', 'attempt', ARGV[1], 'epoch', ARGV[2],
  'claim', ARGV[3], 'owner', ARGV[4], 'until', 0, 'alone', '0', 'deaths', 0, 'success', ARGV[6], 'started', '1')
redis.call('PEXPIRE', KEYS[1], ARGV[7])
return 1
