#!lua
-- Adds items to an open job; those already there stay as they are.
-- ARGV: 2 job, 3 place of the first, then from 4 on one source for each item.
local j = call('HMGET', job_key(ARGV[2]), 'status', 'total')
if j[1] ~= 'open' then return 'not_open' end
if num(ARGV[3]) + #ARGV - 3 > num(j[2]) then return 'past_total' end
keep_sources(ARGV[2], num(ARGV[3]), 4, #ARGV)
return 'appended'
