#!lua flags=no-writes
-- The longest ended jobs whose end the home is still to be told: ids with
-- what is told.
-- ARGV: 2 jobs at most.
local rows = {}
for _, job in ipairs(call('ZRANGE', LEAVING, 0, num(ARGV[2]) - 1)) do
  rows[#rows + 1] = {job, call('HGETALL', leaving_key(job))}
end
return rows
