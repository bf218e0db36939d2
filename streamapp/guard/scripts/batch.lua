-- Appended to a script that has become the function `decide`: many calls of it in one, each decided by itself and in
-- turn. One that fails answers its error and keeps none of the others from being decided.
-- ARGV: how many calls there are, then their arguments, one call after the other; KEYS likewise

local calls = tonumber(ARGV[1])
local keys, arguments = #KEYS / calls, (#ARGV - 1) / calls
local replies = {}
for call = 1, calls do
  local decided, reply = pcall(decide,
    {unpack(KEYS, (call - 1) * keys + 1, call * keys)},
    {unpack(ARGV, (call - 1) * arguments + 2, call * arguments + 1)})
  if not decided and type(reply) ~= 'table' then
    reply = {err = tostring(reply)}
  end
  replies[call] = reply
end
return replies
