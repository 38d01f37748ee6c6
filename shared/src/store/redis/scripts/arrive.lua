#!lua flags=allow-oom
-- Writes the deliveries of jobs that ended in another shard. Said again, it
-- changes nothing.
-- ARGV: from 2 on for each job its id, tenant and callback, how many texts
--       follow, and these: what is told.
local i = 2
while i <= #ARGV do
  local told = {}
  local first, last = i + 4, i + 3 + num(ARGV[i + 3])
  for at = first, last do told[#told + 1] = ARGV[at] end
  deliver(ARGV[i], ARGV[i + 1], ARGV[i + 2], told)
  i = last + 1
end
settle()
return 'arrived'
