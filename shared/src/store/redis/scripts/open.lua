#!lua
-- Begins a large job, which nobody sees until it is sealed.
-- ARGV: as intake says, 12 items announced, 13 ms until it must be sealed.
local word, live = admit(num(ARGV[12]), 'open')
if word ~= 'created' then return {word, live or 0} end
call('ZADD', OPEN, now + num(ARGV[13]), ARGV[2])
return {word, 0}
