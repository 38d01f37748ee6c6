#!lua flags=allow-oom
-- Gives items back untouched; those no longer held are skipped.
-- ARGV: 2 outcome of a canceled item, then from 3 on an item and its token.
for i = 3, #ARGV, 2 do
  local item = ARGV[i]
  local held = call('HMGET', try_key(item), 'state', 'token')
  if held[1] == 'running' and held[2] == ARGV[i + 1] then
    call('ZREM', LEASES, item)
    local j = call('HMGET', job_key(split(item)), 'cancel', 'model', 'band')
    if j[1] then
      finish(item, 'canceled', ARGV[2])
    else
      call('HINCRBY', try_key(item), 'attempts', -1)
      call('HDEL', try_key(item), 'solo')
      put_back(item, j[2], j[3])
    end
  end
end
settle()
return with_endings('released')
