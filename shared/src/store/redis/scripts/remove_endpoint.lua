#!lua flags=allow-oom
-- Removes an endpoint. Of what is pending a part is given up here, the rest
-- by the claims that follow.
-- ARGV: 2 tenant, 3 id, 4 deliveries to give up at most.
local tenant, id = ARGV[2], ARGV[3]
if call('DEL', endpoint_key(tenant, id)) == 0 then return 'unknown' end
call('ZREM', endpoints_key(tenant), id)
call('HDEL', wants_key(tenant), id)
local origins = {''}
if id == CALLBACKS then origins = call('SRANDMEMBER', origins_key(tenant), 1000) end
local budget = num(ARGV[4])
for _, origin in ipairs(origins) do
  local lane = tenant..':'..id..':'..origin
  if budget > 0 then
    budget = budget - give_up_all(lane, budget)
  else
    line_up_lane(lane, now, 0)
  end
end
outgoing = true
settle()
return 'removed'
