#!lua flags=allow-oom
-- Makes an open job visible and all its items ready.
-- ARGV: 2 job.
local job = ARGV[2]
local j = call('HMGET', job_key(job), 'status', 'total', 'tenant', 'weight', 'model', 'band',
  'created')
if not j[1] then return 'unknown' end
if j[1] ~= 'open' then return 'sealed' end
if call('HLEN', sources_key(job)) < num(j[2]) then return 'incomplete' end
call('HSET', job_key(job), 'status', 'queued')
call('ZREM', OPEN, job)
line_up(job, num(j[2]), j[3], j[4], j[5], j[6])
appear(j[3], job, j[7])
touched[job] = 'changed'
settle()
return 'sealed'
