-- Deliveries by lane: an endpoint, or the callbacks of a tenant to one
-- origin. A lane's name is tenant:endpoint:origin, the origin empty but for
-- callbacks; each has its own queue, so that none pays for another's backlog.
-- Tenants by when a claim should look at their lanes, and how many deliveries
-- are pending in all.
local OUT_TENANTS, OUT_ENDED, OUT_PENDING = P..'out:tenants', P..'out:ended', 'outgoing'
local CALLBACKS = 'callbacks'

local function endpoint_key(tenant, id) return P..'hook:'..tenant..':'..id end
local function endpoints_key(tenant) return P..'hooks:'..tenant end
local function out_key(id) return P..'out:'..id end
local function attempts_key(id) return P..'tried:'..id end
local function told_key(job) return P..'told:'..job end
local function out_index_key(tenant) return P..'out:ix:'..tenant end
local function lane_key(lane) return P..'out:lane:'..lane end
-- All that is pending in a lane, by when it can be claimed; and of that what
-- is held, by the end of its lease.
local function pending_key(lane) return P..'out:due:'..lane end
local function held_key(lane) return P..'out:held:'..lane end
-- A tenant's lanes by when a claim should look at them, its last service, and
-- its deliveries that are held, by the end of their lease.
local function out_lanes_key(tenant) return P..'out:lanes:'..tenant end
local function out_tenant_key(tenant) return P..'out:tenant:'..tenant end
local function out_busy_key(tenant) return P..'out:busy:'..tenant end
-- The origins to which a tenant's callbacks are pending.
local function origins_key(tenant) return P..'out:origins:'..tenant end

-- A delivery's id is a job's, a dot and an endpoint's.
local function out_lane_of(tenant, id, origin)
  return tenant..':'..string.sub(id, 38)..':'..origin
end
local function split_lane(lane) return string.match(lane, '^([^:]*):([^:]*):(.*)$') end
local function out_place_of(created, id) return string.format('%015d:%s', created, id) end

-- A place in a line. Between those of the same millisecond decides who was
-- served longer ago.
local function line_place(at, turn) return at + (num(turn) % 1024) / 1024 end

-- Decides anew when a claim should look at a tenant: when it should look at
-- the first of its lanes, and its turn has come. One with nothing pending
-- goes. A last service that is yet to come was written by a clock that was
-- wrong.
local function refresh_tenant(tenant)
  local first = call('ZRANGE', out_lanes_key(tenant), 0, 0, 'WITHSCORES')
  if first[1] then
    local t = call('HMGET', out_tenant_key(tenant), 'served', 'turn')
    local at = math.max(math.floor(num(first[2])), math.min(num(t[1]), now))
    call('ZADD', OUT_TENANTS, line_place(at, t[2]), tenant)
  else
    call('ZREM', OUT_TENANTS, tenant)
    call('UNLINK', out_tenant_key(tenant))
  end
end

-- Has a claim look at a lane from then on.
local function line_up_lane(lane, at, turn)
  local tenant = split_lane(lane)
  call('ZADD', out_lanes_key(tenant), line_place(at, turn), lane)
  refresh_tenant(tenant)
end

-- A sender holds a delivery, or holds it no more.
local function hold(lane, id, till)
  call('ZADD', held_key(lane), till, id)
  call('ZADD', out_busy_key((split_lane(lane))), till, id)
end
local function let_go(lane, id)
  call('ZREM', held_key(lane), id)
  call('ZREM', out_busy_key((split_lane(lane))), id)
end

-- Decides anew when a claim should look at a lane: when its first delivery
-- can be claimed, its rest is over and its turn has come. A lane with nothing
-- pending goes, but for that of an endpoint that is there, which remembers
-- since when it fails. A last service that is yet to come was written by a
-- clock that was wrong.
local function refresh_lane(lane)
  local first = call('ZRANGE', pending_key(lane), 0, 0, 'WITHSCORES')
  if first[1] then
    local l = call('HMGET', lane_key(lane), 'rest', 'served', 'turn')
    line_up_lane(lane, math.max(num(first[2]), num(l[1]), math.min(num(l[2]), now)), l[3])
    return
  end
  local tenant, endpoint, origin = split_lane(lane)
  call('ZREM', out_lanes_key(tenant), lane)
  refresh_tenant(tenant)
  if endpoint == CALLBACKS then call('SREM', origins_key(tenant), origin) end
  if endpoint == CALLBACKS or call('EXISTS', endpoint_key(tenant, endpoint)) == 0 then
    call('UNLINK', lane_key(lane))
  end
end

-- Makes a delivery pending in its lane.
local function make_due(lane, id, at)
  call('ZADD', pending_key(lane), at, id)
  local tenant, endpoint, origin = split_lane(lane)
  if endpoint == CALLBACKS then call('SADD', origins_key(tenant), origin) end
  refresh_lane(lane)
  outgoing = true
end

-- Ends a delivery that nobody holds any more.
local function end_delivery(lane, id, status)
  call('ZREM', pending_key(lane), id)
  let_go(lane, id)
  call('HINCRBY', META, OUT_PENDING, -1)
  call('HSET', out_key(id), 'status', status, 'ended', now)
  call('HDEL', out_key(id), 'due', 'token')
  call('ZADD', OUT_ENDED, now, id)
end

-- Adds to a delivery's log, of which the last twenty entries are kept.
local function keep_attempt(id, attempt)
  call('RPUSH', attempts_key(id), attempt)
  call('LTRIM', attempts_key(id), -20, -1)
end

-- Says in the log why a delivery is given up untried.
local function note(id, why)
  keep_attempt(id, string.format('{"at":%d,"took_ms":0,"status":null,"error":"%s"}', now, why))
end
