#!lua flags=no-writes
-- What is known of a job, and of one that has ended outcomes of its items.
-- ARGV: 2 tenant, 3 job, 4 first place, 5 how many places.
local fields, j = call('HGETALL', job_key(ARGV[3])), {}
for i = 1, #fields, 2 do j[fields[i]] = fields[i + 1] end
if j.tenant == ARGV[2] and j.status ~= 'open' then
  local is_over = j.status ~= 'queued' and j.status ~= 'processing'
  local rows = is_over and results_of(ARGV[3], num(j.total), num(ARGV[4]), num(ARGV[5]))
  return {'job', fields, rows or {}}
end
local stone = call('GET', tombstone_key(ARGV[3]))
if stone and not j.tenant then
  local till, tenant = string.match(stone, '^(%d+) (.*)$')
  if tenant == ARGV[2] and now < num(till) then return {'expired', {}, {}} end
end
return {'unknown', {}, {}}
