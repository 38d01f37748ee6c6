#!lua flags=no-writes
-- The newest dead letters: item, tenant, outcome and time of each.
-- ARGV: 2 limit.
local oldest = '('..int(now - WEEK)
local found = call('ZRANGE', DEAD, '+inf', oldest, 'BYSCORE', 'REV', 'LIMIT', 0, ARGV[2],
  'WITHSCORES')
local rows = {}
for i = 1, #found, 2 do
  local job, index = split(found[i])
  rows[#rows + 1] = {
    found[i],
    call('HGET', job_key(job), 'tenant'),
    call('HGET', results_key(job), index),
    found[i + 1],
  }
end
return rows
