-- A rebuild is about to write: nothing may run until `open`.
-- KEYS: epoch, rebuilds     ARGV: ticket

if not redis.call('ZSCORE', KEYS[2], ARGV[1]) then
  return 'no'
end
redis.call('DEL', KEYS[1])
return 'yes'
