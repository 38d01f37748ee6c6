#!lua flags=allow-oom
-- Hands out deliveries that are due: tenants take turns, of a tenant its
-- lanes, and inside a lane the longest due goes first. Answers the time, and
-- rows.
-- ARGV: 2 deliveries of a lane that may be held, 3 lease in ms, 4 lanes to
--       look at, 5 deliveries to give up at most, 6 failures that open a
--       breaker, 7 deliveries of a tenant that may be held, then from 8 on a
--       token for each delivery wanted.
local per_lane, lease = num(ARGV[2]), num(ARGV[3])
local budget, breaker = num(ARGV[5]), num(ARGV[6])
local per_tenant, wanted = num(ARGV[7]), #ARGV - 7

-- Those in a line that a claim should look at.
local function due_in(line, limit)
  return call('ZRANGE', line, '-inf', '('..int(now + 1), 'BYSCORE', 'LIMIT', 0, limit)
end

-- Sends a lane and its tenant to the end of their lines.
local function take_turn(lane)
  local turn = call('HINCRBY', META, 'turn', 1)
  call('HSET', lane_key(lane), 'served', now, 'turn', turn)
  call('HSET', out_tenant_key((split_lane(lane))), 'served', now, 'turn', turn)
end

-- Leaves a full lane alone until the first lease in it is over; one that ends
-- sooner refreshes it.
local function park(lane)
  local first = call('ZRANGE', held_key(lane), '('..int(now), '+inf', 'BYSCORE',
    'LIMIT', 0, 1, 'WITHSCORES')
  line_up_lane(lane, num(first[2]), 0)
end

-- Leaves a tenant that has its share alone until the first of its leases is
-- over; one that ends sooner refreshes it.
local function park_tenant(tenant)
  local first = call('ZRANGE', out_busy_key(tenant), '('..int(now), '+inf', 'BYSCORE',
    'LIMIT', 0, 1, 'WITHSCORES')
  if first[1] then call('ZADD', OUT_TENANTS, num(first[2]), tenant) end
end

local open = {}
-- What a lane has to hand out is added to its tenant's lanes.
local function look_into(lane, url, secrets, tenant)
  local cap = per_lane
  -- A lane that failed lets one try.
  if num(call('HGET', lane_key(lane), 'failures')) >= breaker then cap = 1 end
  local room = cap - call('ZCOUNT', held_key(lane), '('..int(now), '+inf')
  if room <= 0 then
    park(lane)
    return
  end
  local waiting = call('ZRANGE', pending_key(lane), '-inf', now, 'BYSCORE', 'LIMIT', 0,
    math.min(room, tenant.room, wanted))
  if #waiting == 0 then
    refresh_lane(lane)
    return
  end
  tenant.lanes[#tenant.lanes + 1] = {lane = lane, url = url, secrets = secrets, room = room, waiting = waiting,
    taken = 0}
end

local tenants = due_in(OUT_TENANTS, num(ARGV[4]))
local lanes_each = math.max(math.floor(num(ARGV[4]) / math.max(#tenants, 1)), 1)
for _, name in ipairs(tenants) do
  local room = per_tenant - call('ZCOUNT', out_busy_key(name), '('..int(now), '+inf')
  local tenant = {name = name, room = room, taken = 0, lanes = {}}
  local lanes = {}
  if room > 0 then
    open[#open + 1] = tenant
    lanes = due_in(out_lanes_key(name), lanes_each)
  else
    park_tenant(name)
  end
  for _, lane in ipairs(lanes) do
    local _, endpoint = split_lane(lane)
    local e = call('HMGET', endpoint_key(name, endpoint), 'secrets', 'url', 'disabled')
    if e[1] and not e[3] then
      look_into(lane, e[2], e[1], tenant)
    elseif budget > 0 then
      take_turn(lane)
      local give_up = e[1] and give_up_due or give_up_all
      budget = budget - give_up(lane, budget)
    end
  end
end

-- Takes one more of a tenant, from the lane that has given the least; false
-- when there is none, or no room.
local function take_one(tenant)
  if tenant.taken == tenant.room then return false end
  local next
  for _, o in ipairs(tenant.lanes) do
    if o.taken < #o.waiting and (not next or o.taken < next.taken) then next = o end
  end
  if not next then return false end
  next.taken, tenant.taken = next.taken + 1, tenant.taken + 1
  return true
end

-- One from each tenant in turn, until there are enough.
local left, before = wanted, nil
while left ~= before do
  before = left
  for _, tenant in ipairs(open) do
    if left > 0 and take_one(tenant) then left = left - 1 end
  end
end

local rows = {}
local function hand_out(o, id)
  local token = ARGV[8 + #rows]
  call('ZADD', pending_key(o.lane), now + lease, id)
  hold(o.lane, id, now + lease)
  call('HSET', out_key(id), 'token', token)
  if o.url then call('HSET', out_key(id), 'url', o.url) end
  call('HINCRBY', out_key(id), 'attempted', 1)
  local attempt = call('HINCRBY', out_key(id), 'attempt', 1)
  local d = call('HMGET', out_key(id), 'due', 'url', 'event')
  rows[#rows + 1] = {{id, token, o.lane, d[2], o.secrets, d[3]}, num(d[1]), attempt,
    call('HGETALL', told_key(string.sub(id, 1, 36)))}
end
for _, tenant in ipairs(open) do
  for _, o in ipairs(tenant.lanes) do
    if o.taken > 0 then
      for i = 1, o.taken do hand_out(o, o.waiting[i]) end
      take_turn(o.lane)
      if o.taken == o.room then park(o.lane) else refresh_lane(o.lane) end
    end
  end
  if tenant.taken == tenant.room then park_tenant(tenant.name) end
end
return {now, rows}
