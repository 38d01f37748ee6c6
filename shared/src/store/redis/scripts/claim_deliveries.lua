#!lua flags=allow-oom
-- Hands out deliveries that are due: lanes take turns, and inside a lane the
-- longest due goes first. Answers the time, and rows.
-- ARGV: 2 deliveries of a lane that may be held, 3 lease in ms, 4 lanes to
--       look at, 5 deliveries to give up at most, 6 failures that open a
--       breaker, then from 7 on a token for each delivery wanted.
local per_lane, lease = num(ARGV[2]), num(ARGV[3])
local budget, breaker = num(ARGV[5]), num(ARGV[6])
local wanted = #ARGV - 6
local due = call('ZRANGE', OUT_LANES, '-inf', '('..int(now + 1), 'BYSCORE',
  'LIMIT', 0, num(ARGV[4]))

-- Sends a lane to the end of the line of those that are due.
local function take_turn(lane)
  call('HSET', lane_key(lane), 'served', now, 'turn', call('HINCRBY', META, 'turn', 1))
end

-- Leaves a full lane alone until the first lease in it is over; one that ends
-- sooner refreshes it.
local function park(lane)
  local first = call('ZRANGE', held_key(lane), '('..int(now), '+inf', 'BYSCORE',
    'LIMIT', 0, 1, 'WITHSCORES')
  line_up_lane(lane, num(first[2]), 0)
end

local open = {}
local function look_into(lane, url, secrets)
  local cap = per_lane
  -- A lane that failed lets one try.
  if num(call('HGET', lane_key(lane), 'failures')) >= breaker then cap = 1 end
  local room = cap - call('ZCOUNT', held_key(lane), '('..int(now), '+inf')
  if room <= 0 then
    park(lane)
    return
  end
  local waiting = call('ZRANGE', pending_key(lane), '-inf', now, 'BYSCORE', 'LIMIT', 0,
    math.min(room, wanted))
  if #waiting == 0 then
    refresh_lane(lane)
    return
  end
  open[#open + 1] = {lane = lane, url = url, secrets = secrets, room = room, waiting = waiting,
    taken = 0}
end

for _, lane in ipairs(due) do
  local tenant, endpoint = split_lane(lane)
  local e = call('HMGET', endpoint_key(tenant, endpoint), 'secrets', 'url', 'disabled')
  if e[1] and not e[3] then
    look_into(lane, e[2], e[1])
  elseif budget > 0 then
    take_turn(lane)
    local give_up = e[1] and give_up_due or give_up_all
    budget = budget - give_up(lane, budget)
  end
end

-- One from each lane in turn, until there are enough.
local left, round, more = wanted, 1, true
while left > 0 and more do
  more = false
  for _, o in ipairs(open) do
    if left > 0 and o.waiting[round] then
      o.taken, left, more = round, left - 1, true
    end
  end
  round = round + 1
end

local rows = {}
local function hand_out(o, id)
  local token = ARGV[7 + #rows]
  call('ZADD', pending_key(o.lane), now + lease, id)
  call('ZADD', held_key(o.lane), now + lease, id)
  call('HSET', out_key(id), 'token', token)
  if o.url then call('HSET', out_key(id), 'url', o.url) end
  call('HINCRBY', out_key(id), 'attempted', 1)
  local attempt = call('HINCRBY', out_key(id), 'attempt', 1)
  local d = call('HMGET', out_key(id), 'due', 'url', 'event')
  rows[#rows + 1] = {{id, token, o.lane, d[2], o.secrets, d[3]}, num(d[1]), attempt,
    call('HGETALL', told_key(string.sub(id, 1, 36)))}
end
for _, o in ipairs(open) do
  if o.taken > 0 then
    for i = 1, o.taken do hand_out(o, o.waiting[i]) end
    take_turn(o.lane)
    if o.taken == o.room then park(o.lane) else refresh_lane(o.lane) end
  end
end
return {now, rows}
