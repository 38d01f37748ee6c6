#!lua flags=allow-oom
-- Forgets answers past their time, and the oldest while memory is tight.
-- ARGV: 2 how many at most.
local most = num(ARGV[2])
forget_answers(past_answers(most))
if is_tight() then forget_answers(oldest_answers(most)) end
return 'forgotten'
