#!lua flags=allow-oom
-- Writes an attempt down. Said again, it says the same and changes nothing.
-- ARGV: 2 delivery, 3 token, 4 attempt, 5 delivered|retry|given_up|gone,
--       6 delay in ms, 7 failures that open a breaker, 8 first and 9 longest
--       rest in ms, 10 failing so long disables.
local id, token, verdict = ARGV[2], ARGV[3], ARGV[5]
local d = call('HMGET', out_key(id), 'token', 'settled', 'tenant', 'origin')
if d[2] == token then return 'stored' end
if d[1] ~= token then return 'fenced' end
local lane = out_lane_of(d[3], id, d[4])
local tenant, endpoint = split_lane(lane)
local breaker = num(ARGV[7])

local function disable(because)
  local key = endpoint_key(tenant, endpoint)
  if endpoint == CALLBACKS or call('EXISTS', key) == 0 then return end
  if call('HEXISTS', key, 'disabled') == 1 then return end
  call('HSET', key, 'disabled', string.format('{"because":"%s","at":%d}', because, now))
  call('HINCRBY', key, 'version', 1)
  call('HDEL', wants_key(tenant), endpoint)
end

-- Enough failures in a row open the breaker. Those of deliveries that were
-- under way when it opened change nothing.
local function count_failure()
  local l = call('HMGET', lane_key(lane), 'rest', 'since')
  if now < num(l[1]) then return end
  local failures = call('HINCRBY', lane_key(lane), 'failures', 1)
  if not l[2] then call('HSET', lane_key(lane), 'since', now) end
  if failures < breaker then return end
  local rest = num(ARGV[8]) * 2 ^ math.min(failures - breaker, 32)
  call('HSET', lane_key(lane), 'rest', now + math.min(rest, num(ARGV[9])))
  if now - num(l[2] or now) >= num(ARGV[10]) then disable('failing') end
end

call('HSET', out_key(id), 'settled', token)
call('HDEL', out_key(id), 'token')
keep_attempt(id, ARGV[4])
if verdict == 'retry' and call('EXISTS', endpoint_key(tenant, endpoint)) == 1 then
  local due = now + num(ARGV[6])
  call('HSET', out_key(id), 'due', due)
  let_go(lane, id)
  call('ZADD', pending_key(lane), due, id)
else
  if verdict == 'retry' then note(id, 'endpoint_removed') end
  end_delivery(lane, id, verdict == 'delivered' and 'delivered' or 'failed')
end

if verdict == 'delivered' then
  call('HDEL', lane_key(lane), 'failures', 'since', 'rest')
elseif verdict == 'gone' then
  -- An answer, and a final one: the receiver does not fail.
  disable('gone')
else
  count_failure()
end
refresh_lane(lane)
return 'stored'
