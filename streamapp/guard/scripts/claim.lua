-- Who may run this attempt of this task? Answered and, where it is the caller, written down in one step.
-- KEYS: epoch, task, jobs:waiting, jobs:active
-- ARGV: task id, attempt, worker, lease ms, retention ms, deaths allowed, first attempt since the task was requeued

local epoch = redis.call('GET', KEYS[1])
if not epoch then
  return {'not-ready'}
end

local attempt, worker, lease, retention = tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local job = ARGV[1] .. ':' .. ARGV[2]
local now = now_ms()
local task = read(KEYS[2], 'status', 'attempt', 'epoch', 'claim', 'owner', 'until', 'alone', 'deaths', 'success', 'started', 'confirmed')
local known = tonumber(task.attempt)
local number, alone, deaths, takeover, started = 1, '0', 0, '0', '0'

if task.status then
  local finished = task.status == 'outcome' or task.status == 'ended'
  -- Somebody has asked for a new try after the task had been given up: once it is recorded what came of earlier attempts,
  -- that is not in the way, and who died of them is not held against it.
  local former = known < tonumber(ARGV[7])
  -- A stored outcome that may not be in the diary yet is handed to whoever asks: also to a higher attempt when the task
  -- has succeeded, because the job of its own attempt may be gone and nobody else would ever record it.
  if task.status == 'outcome' and (known == attempt or task.success == '1') then
    redis.call('ZREM', KEYS[3], job)
    return {'known', task.attempt, task.epoch, task.claim, redis.call('HGET', KEYS[2], 'record')}
  end
  if task.status == 'ended' and known == attempt then
    redis.call('ZREM', KEYS[3], job)
    return {'known', task.attempt, task.epoch, task.claim, false}
  end
  if attempt < known or (finished and task.success == '1') and not former then
    redis.call('ZREM', KEYS[3], job)
    return {'superseded', task.attempt}
  end
  if task.status == 'active' and tonumber(task['until']) > now then
    redis.call('ZADD', KEYS[3], 'NX', now, job)
    return {'held', tonumber(task['until']) - now}
  end
  number = tonumber(task.claim) + 1
  if not finished then
    alone, deaths = task.alone, tonumber(task.deaths)
  end
  if task.status == 'active' then
    takeover = '1'
    -- A worker that asks again for its own lapsed claim was cut off, or asleep, but it has not died.
    if task.owner ~= worker then
      -- One that was only waiting to be alone when its worker died has killed nobody.
      if task.alone == '1' and task.confirmed == '1' then
        deaths = deaths + 1
      end
      alone = '1'
    end
  end
  if former then
    deaths = 0
  end
  if known == attempt then
    started = task.started or '0'
  end
end

-- HSET before any other write: on a full Redis it fails, and then nothing has been changed.
redis.call('HSET', KEYS[2], 'status', 'active', 'attempt', attempt, 'epoch', epoch, 'claim', number, 'owner', worker,
  'until', whole(now + lease), 'alone', alone, 'deaths', deaths, 'started', started, 'confirmed', '0')
redis.call('HDEL', KEYS[2], 'record', 'success')
redis.call('PEXPIRE', KEYS[2], retention)
redis.call('ZREM', KEYS[3], job)
if known and known ~= attempt then
  redis.call('ZREM', KEYS[4], ARGV[1] .. ':' .. task.attempt)
end
redis.call('ZADD', KEYS[4], now, job)
if deaths >= tonumber(ARGV[6]) then
  return {'doomed', epoch, number, deaths, started}
end
return {'claimed', epoch, number, alone, deaths, takeover}
