-- Writing deliveries, which happens at the home.

-- Keeps what is told as long as one of the job's deliveries. Answers when the
-- job ended, which for a job that was told before is then.
local function keep_told(job, told)
  local before = call('HGET', told_key(job), 'completed')
  if before then return num(before) end
  call('HSET', told_key(job), unpack(told))
  return num(told[#told])
end

-- One message for one receiver, ever.
local function deliver_to(job, endpoint, tenant, origin, url, told)
  local id = job..'.'..endpoint
  if call('EXISTS', out_key(id)) == 1 then return end
  local created = keep_told(job, told)
  -- Due since its job ended, whenever that became known here.
  local due = math.min(now, num(told[#told]))
  call('HINCRBY', told_key(job), 'left', 1)
  call('HINCRBY', META, OUT_PENDING, 1)
  call('HSET', out_key(id), 'tenant', tenant, 'origin', origin, 'url', url,
    'event', 'job.'..told[2], 'status', 'pending', 'created', created, 'due', due)
  call('ZADD', out_index_key(tenant), 0, out_place_of(created, id))
  make_due(out_lane_of(tenant, id, origin), id, due)
end

-- Writes a delivery to the job's callback, and one to each of its tenant's
-- enabled endpoints that wants the event.
local function deliver(job, tenant, callback, told)
  local event = ',job.'..told[2]..','
  local wants = call('HGETALL', wants_key(tenant))
  for i = 1, #wants, 2 do
    local events = wants[i + 1]
    if events == '' or string.find(','..events..',', event, 1, true) then
      local url = call('HGET', endpoint_key(tenant, wants[i]), 'url')
      deliver_to(job, wants[i], tenant, '', url, told)
    end
  end
  if callback ~= '' then
    local to = cjson.decode(callback)
    deliver_to(job, CALLBACKS, tenant, to.origin, to.url, told)
  end
end
