#!lua flags=allow-oom
-- Forgets deliveries that ended long enough ago, and what was told with the
-- last of a job. Answers how many.
-- ARGV: 2 how long they are kept in ms, 3 how many at most.
local ids = call('ZRANGE', OUT_ENDED, '-inf', now - num(ARGV[2]), 'BYSCORE',
  'LIMIT', 0, num(ARGV[3]))
for _, id in ipairs(ids) do
  local d = call('HMGET', out_key(id), 'tenant', 'created')
  local job = string.sub(id, 1, 36)
  call('ZREM', out_index_key(d[1]), out_place_of(d[2], id))
  call('ZREM', OUT_ENDED, id)
  call('UNLINK', out_key(id), attempts_key(id))
  if call('HINCRBY', told_key(job), 'left', -1) <= 0 then call('UNLINK', told_key(job)) end
end
return #ids
