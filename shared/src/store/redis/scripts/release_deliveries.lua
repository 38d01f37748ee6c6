#!lua flags=allow-oom
-- Gives deliveries back as they were before they were claimed; those no
-- longer held are skipped.
-- ARGV: from 2 on a delivery and its token.
for i = 2, #ARGV, 2 do
  local id = ARGV[i]
  local d = call('HMGET', out_key(id), 'token', 'tenant', 'origin', 'due')
  if d[1] == ARGV[i + 1] then
    local lane = out_lane_of(d[2], id, d[3])
    call('HDEL', out_key(id), 'token')
    call('HINCRBY', out_key(id), 'attempt', -1)
    call('HINCRBY', out_key(id), 'attempted', -1)
    let_go(lane, id)
    make_due(lane, id, d[4])
  end
end
settle()
return 'released'
