#!lua
-- Notes that an API key was used today.
-- ARGV: 2 id, 3 ms of a day.
local key = key_key(ARGV[2])
local day = now - now % num(ARGV[3])
if call('EXISTS', key) == 1 and num(call('HGET', key, 'last_used_on')) < day then
  call('HSET', key, 'last_used_on', int(day))
end
return 'touched'
