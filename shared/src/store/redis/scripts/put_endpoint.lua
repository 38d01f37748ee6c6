#!lua
-- Writes an endpoint if it was made from the one that is there.
-- ARGV: 2 tenant, 3 id, 4 version, 5 created, 6 endpoints allowed, 7 events
--       joined by commas if it is enabled and has a URL, otherwise '-', then
--       from 8 on its other fields, each a name and a value; an empty one is
--       none.
local tenant, id, version = ARGV[2], ARGV[3], num(ARGV[4])
local key = endpoint_key(tenant, id)
local fields = {'version', ARGV[4], 'created', ARGV[5]}
for i = 8, #ARGV, 2 do
  if ARGV[i + 1] ~= '' then
    fields[#fields + 1] = ARGV[i]
    fields[#fields + 1] = ARGV[i + 1]
  end
end
local before = num(call('HGET', key, 'version'))
if before == version and version > 0 then
  -- Perhaps the same call came before, and its answer was lost on the way.
  if call('HLEN', key) ~= #fields / 2 then return 'stale' end
  for i = 1, #fields, 2 do
    if call('HGET', key, fields[i]) ~= fields[i + 1] then return 'stale' end
  end
  return 'stored'
end
if version ~= before + 1 then return 'stale' end
if before == 0 and id ~= CALLBACKS then
  local there = call('ZCARD', endpoints_key(tenant))
  if call('EXISTS', endpoint_key(tenant, CALLBACKS)) == 1 then there = there - 1 end
  if there >= num(ARGV[6]) then return 'full' end
end

call('DEL', key)
call('HSET', key, unpack(fields))
call('ZADD', endpoints_key(tenant), ARGV[5], id)
if ARGV[7] == '-' then
  call('HDEL', wants_key(tenant), id)
else
  call('HSET', wants_key(tenant), id, ARGV[7])
end
-- What was changed may be what made it fail. Callbacks fail for themselves.
local lane = tenant..':'..id..':'
if id ~= CALLBACKS and call('EXISTS', lane_key(lane)) == 1 then
  call('HDEL', lane_key(lane), 'failures', 'since', 'rest')
  refresh_lane(lane)
  outgoing = true
end
settle()
return 'stored'
