#!lua flags=no-writes
-- A tenant's jobs, newest first, and the place after which to go on, or
-- nothing at the end.
-- ARGV: 2 tenant, 3 status or nothing, 4 model or nothing, 5 place to start
--       after or nothing, 6 jobs wanted, 7 places to look at.
local key = index_key(ARGV[2], ARGV[3] ~= '' and ARGV[3])
local from = ARGV[5] == '' and '+' or '('..ARGV[5]
local scan = num(ARGV[7])
local places = call('ZRANGE', key, from, '-', 'BYLEX', 'REV', 'LIMIT', 0, scan)
local jobs = {}
for i, place in ipairs(places) do
  if #jobs == num(ARGV[6]) then return {places[i - 1], jobs} end
  local job = string.sub(place, 17)
  if ARGV[4] == '' or call('HGET', job_key(job), 'model') == ARGV[4] then
    jobs[#jobs + 1] = {job, call('HGETALL', job_key(job))}
  end
end
return {#places == scan and places[scan] or '', jobs}
