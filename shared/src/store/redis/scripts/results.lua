#!lua flags=no-writes
-- Outcomes of ended items, each behind its place.
-- ARGV: 2 tenant, 3 job, 4 first place, 5 how many places.
local j = call('HMGET', job_key(ARGV[3]), 'tenant', 'status', 'total')
if j[1] ~= ARGV[2] or j[2] == 'open' then return {'unknown', {}} end
local rows = {}
local stop = math.min(num(ARGV[4]) + num(ARGV[5]), num(j[3]))
for first = num(ARGV[4]), stop - 1, 500 do
  local indices = {}
  for index = first, math.min(first + 499, stop - 1) do indices[#indices + 1] = index end
  for i, outcome in ipairs(call('HMGET', results_key(ARGV[3]), unpack(indices))) do
    if outcome then rows[#rows + 1] = {indices[i], outcome} end
  end
end
return {'results', rows}
