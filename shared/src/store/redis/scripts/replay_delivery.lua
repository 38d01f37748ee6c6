#!lua flags=allow-oom
-- Makes a delivery due now, unless a sender holds it.
-- ARGV: 2 tenant, 3 delivery.
local id = ARGV[3]
local d = call('HMGET', out_key(id), 'tenant', 'origin', 'status')
if d[1] ~= ARGV[2] then return 'unknown' end
local lane = out_lane_of(d[1], id, d[2])
if num(call('ZSCORE', held_key(lane), id)) > now then return 'held' end
let_go(lane, id)
call('ZREM', OUT_ENDED, id)
if d[3] ~= 'pending' then call('HINCRBY', META, OUT_PENDING, 1) end
call('HSET', out_key(id), 'status', 'pending', 'attempt', 0, 'due', now)
call('HDEL', out_key(id), 'ended', 'token')
make_due(lane, id, now)
settle()
return 'replayed'
