#!lua flags=allow-oom
-- Makes this a shard of a store that is parted into so many. One that was
-- parted otherwise must hold no job. Answers a word and what was found; of a
-- shard that is adopted how many there were before, or nothing.
-- ARGV: 2 layout of the keys, 3 shards, 4 1 if the shard is the home.
local found = call('HMGET', META, 'layout', 'shards', 'live')
if found[1] and found[1] ~= ARGV[2] then return {'layout', found[1]} end
-- Earlier releases had one shard and did not write it down.
local before = found[2] or (found[1] and ARGV[4] == '1' and '1') or ''
if before ~= '' and before ~= ARGV[3] then
  local holds = num(found[3]) > 0 or call('EXISTS', EXPIRY, OPEN, P..'leaving') > 0
  if holds then return {'holds_jobs', before} end
end
call('HSET', META, 'layout', ARGV[2], 'shards', ARGV[3])
return {'adopted', before}
