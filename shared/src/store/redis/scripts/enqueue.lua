#!lua
-- Writes a small job whole; its items are ready at once.
-- ARGV: as intake says, then one source for each item.
local total, bytes = #ARGV - FIRST + 1, 0
for i = FIRST, #ARGV do bytes = bytes + bytes_of(ARGV[i]) end
local word, about, over = admit(total, 'queued', bytes)
if word ~= 'created' then return answer(word, about, over) end
keep_sources(ARGV[2], 0, FIRST)
line_up(ARGV[2], total, ARGV[3], ARGV[4], ARGV[5], ARGV[6])
appear(ARGV[3], ARGV[2], now)
settle()
return answer(word)
