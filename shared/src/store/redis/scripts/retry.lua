#!lua flags=allow-oom
-- Gives an item up to be tried again later, or for good. Answers a word and
-- the job's final status, or nothing.
-- ARGV: 2 item, 3 token, 4 delay in ms, 5 outcome of a dead letter,
--       6 outcome of a canceled item.
local item = ARGV[2]
local job, index = split(item)
local held = call('HMGET', try_key(item), 'state', 'token', 'attempts')
if held[2] ~= ARGV[3] or held[1] == 'ready' then
  local known = held[1] or call('HEXISTS', sources_key(job), index) == 1
  return with_endings({known and 'fenced' or 'gone', ''})
end
-- The same call came before, and its answer was lost on the way.
if held[1] == 'delayed' then return with_endings({'delayed', ''}) end

local j = call('HMGET', job_key(job), 'attempts', 'cancel')
local answer
call('ZREM', LEASES, item)
if j[2] then
  answer = {'canceled', finish(item, 'canceled', ARGV[6]) or ''}
elseif num(held[3]) >= num(j[1]) then
  answer = {'dead', bury(item, ARGV[5]) or ''}
else
  call('HSET', try_key(item), 'state', 'delayed')
  call('HDEL', try_key(item), 'solo')
  call('ZADD', DELAYED, now + num(ARGV[4]), item)
  answer = {'delayed', ''}
end
settle()
return with_endings(answer)
