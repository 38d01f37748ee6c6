#!lua
-- Ends an API key for good: 1, or 0 where there is none.
-- ARGV: 2 id.
local key = key_key(ARGV[2])
if call('EXISTS', key) == 0 then return 0 end
call('HSETNX', key, 'revoked_at', int(now))
return 1
