#!lua
-- Begins a large job, which nobody sees until it is sealed. Its uploads are
-- counted as they are appended.
-- ARGV: as intake says, then items announced, and ms until it must be sealed.
local word, about, over = admit(num(ARGV[FIRST]), 'open', 0)
if word ~= 'created' then return answer(word, about, over) end
call('ZADD', OPEN, now + num(ARGV[FIRST + 1]), ARGV[2])
return answer(word, about)
