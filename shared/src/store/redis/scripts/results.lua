#!lua flags=no-writes
-- Outcomes of ended items, each behind its place.
-- ARGV: 2 tenant, 3 job, 4 first place, 5 how many places.
local j = call('HMGET', job_key(ARGV[3]), 'tenant', 'status', 'total')
if j[1] ~= ARGV[2] or j[2] == 'open' then return {'unknown', {}} end
return {'results', results_of(ARGV[3], num(j[3]), num(ARGV[4]), num(ARGV[5]))}
