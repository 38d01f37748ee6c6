#!lua
-- Begins a large job, which nobody sees until it is sealed.
-- ARGV: as intake says, 14 items announced, 15 ms until it must be sealed.
local word, live = admit(num(ARGV[14]), 'open')
if word ~= 'created' then return {word, live or 0} end
call('ZADD', OPEN, now + num(ARGV[15]), ARGV[2])
return {word, 0}
