#!lua flags=no-writes
-- What is known of a job.
-- ARGV: 2 tenant, 3 job.
local j = call('HMGET', job_key(ARGV[3]), 'tenant', 'status')
if j[1] == ARGV[2] and j[2] ~= 'open' then
  return {'job', call('HGETALL', job_key(ARGV[3]))}
end
local stone = call('GET', tombstone_key(ARGV[3]))
if stone and not j[1] then
  local till, tenant = string.match(stone, '^(%d+) (.*)$')
  if tenant == ARGV[2] and now < num(till) then return {'expired', {}} end
end
return {'unknown', {}}
