#!lua flags=allow-oom
-- Removes a job on its tenant's request.
-- ARGV: 2 tenant, 3 job.
local j = call('HMGET', job_key(ARGV[3]), 'tenant', 'status')
if j[1] ~= ARGV[2] or j[2] == 'open' then return {'unknown', 0} end
local items = remove(ARGV[3])
settle()
return {'deleted', items}
