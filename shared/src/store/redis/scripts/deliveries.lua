#!lua flags=no-writes
-- A tenant's deliveries, newest first, and the place after which to go on, or
-- nothing at the end.
-- ARGV: 2 tenant, 3 endpoint, 4 job, 5 status and 6 place to start after,
--       each or nothing; 7 deliveries wanted, 8 places to look at.
local endpoint, job, status, scan = ARGV[3], ARGV[4], ARGV[5], num(ARGV[8])
local from, to = '+', '-'
if job ~= '' then
  -- All of a job's deliveries were written when it ended.
  local completed = call('HGET', told_key(job), 'completed')
  if not completed then return {'', {}} end
  to = '['..out_place_of(completed, job..'.')
  from = '('..out_place_of(completed, job..'/')
end
if ARGV[6] ~= '' and (from == '+' or '('..ARGV[6] < from) then from = '('..ARGV[6] end
local places = call('ZRANGE', out_index_key(ARGV[2]), from, to, 'BYLEX', 'REV', 'LIMIT', 0, scan)
local rows = {}
for i, place in ipairs(places) do
  if #rows == num(ARGV[7]) then return {places[i - 1], rows} end
  local id = string.sub(place, 17)
  if (endpoint == '' or endpoint == string.sub(id, 38))
      and (status == '' or status == call('HGET', out_key(id), 'status')) then
    rows[#rows + 1] = {id, call('HGETALL', out_key(id)),
      call('LRANGE', attempts_key(id), 0, -1)}
  end
end
return {#places == scan and places[scan] or '', rows}
