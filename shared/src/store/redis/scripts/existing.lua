#!lua flags=no-writes
-- Which jobs exist: 1 or 0 for each.
-- ARGV: from 2 on job ids.
local answers = {}
for i = 2, #ARGV do answers[i - 1] = call('EXISTS', job_key(ARGV[i])) end
return answers
