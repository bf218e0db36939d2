-- Prepended to every script. Time is Redis's own: leases of two workers are compared by one clock.

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function whole(number)
  return string.format('%d', number)
end

-- Fields of a task, as a table by name; a field that is not there is false.
local function read(key, ...)
  local values, fields = redis.call('HMGET', key, ...), {}
  for index, name in ipairs({...}) do
    fields[name] = values[index]
  end
  return fields
end

-- Whether the claim (epoch, number, owner, attempt) is the task's current one. Owner and attempt count too: an epoch
-- whose claims never reached the diary may be given a second time after a rebuild, also to the same worker.
local function is_current(fields, epoch, claim, owner, attempt)
  return fields.epoch == epoch and fields.claim == claim and fields.owner == owner and fields.attempt == attempt
end
