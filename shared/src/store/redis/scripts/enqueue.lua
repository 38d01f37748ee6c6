#!lua
-- Writes a small job whole; its items are ready at once.
-- ARGV: as intake says, then from 14 on one source for each item.
local total = #ARGV - 13
local word, live = admit(total, 'queued')
if word ~= 'created' then return {word, live or 0} end
keep_sources(ARGV[2], 0, 14)
line_up(ARGV[2], total, ARGV[3], ARGV[4], ARGV[5], ARGV[6])
appear(ARGV[3], ARGV[2], now)
settle()
return {word, 0}
