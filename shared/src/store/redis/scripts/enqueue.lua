#!lua
-- Writes a small job whole; its items are ready at once. The bytes that come
-- along have just been set by the same caller, to expire: a script would have
-- to copy them twice more.
-- ARGV: as intake says, then how many items, one source for each, and the
--       places of those whose bytes come along.
local total, bytes = num(ARGV[FIRST]), 0
local last = FIRST + total
for i = FIRST + 1, last do bytes = bytes + bytes_of(ARGV[i]) end
for i = last + 1, #ARGV do
  if call('EXISTS', blob_key(ARGV[2]..'.'..ARGV[i])) == 0 then return answer('no_bytes') end
end
local word, about, over = admit(total, 'queued', bytes)
if word ~= 'created' then
  -- What the job has does not expire; what was set for nothing does.
  for i = last + 1, #ARGV do
    local key = blob_key(ARGV[2]..'.'..ARGV[i])
    if call('PTTL', key) > 0 then call('UNLINK', key) end
  end
  return answer(word, about, over)
end
keep_sources(ARGV[2], 0, FIRST + 1, last)
line_up(ARGV[2], total, ARGV[3], ARGV[4], ARGV[5], ARGV[6])
appear(ARGV[3], ARGV[2], now)
settle()
return answer(word, about)
