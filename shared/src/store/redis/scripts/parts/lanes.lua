-- Lanes are (model, band). Inside one, tenants share by self-clocked fair
-- queueing (Golestani, 1994): an item's score is the virtual time at which
-- it would finish if each tenant were served at its weight, and the lane's
-- time is the highest score handed out.
local function lane_time(lane) return num(call('HGET', LANES, lane)) end

-- Makes all items of a job ready, in their order.
local function line_up(job, total, tenant, weight, model, band)
  local lane = lane_of(model, band)
  local time = call('HGET', LANES, lane)
  local score = math.max(num(time), num(call('ZSCORE', tags_key(lane), tenant)))
  local step = 1 / math.max(num(weight), 1)
  local rows = {}
  for index = 0, total - 1 do
    score = score + step
    rows[#rows + 1] = score
    rows[#rows + 1] = job..'.'..index
    if #rows == 1000 then
      call('ZADD', ready_key(lane), unpack(rows))
      rows = {}
    end
  end
  if #rows > 0 then call('ZADD', ready_key(lane), unpack(rows)) end
  call('ZADD', tags_key(lane), score, tenant)
  if not time then call('HSET', LANES, lane, 0) end
  arrived[model] = true
end

-- Moves a lane's time on. A tenant's tag that lies behind it says nothing
-- any more, so tags are only kept for tenants whose items wait.
local function advance(lane, score)
  local time = math.max(lane_time(lane), score)
  call('HSET', LANES, lane, time)
  call('ZREMRANGEBYSCORE', tags_key(lane), '-inf', time)
end

-- Puts an item back where it stood in its lane: at the front by now.
local function put_back(item, model, band)
  local score = call('HGET', try_key(item), 'score')
  call('HSET', try_key(item), 'state', 'ready')
  call('ZADD', ready_key(lane_of(model, band)), score or 0, item)
  arrived[model] = true
end
