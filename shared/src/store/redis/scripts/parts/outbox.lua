-- The step that ends a job also writes whom to tell.

-- What is told, kept as long as one of the job's deliveries. Answers when the
-- job ended, which for a job that was told before is then.
local function keep_told(job, status)
  local before = call('HGET', told_key(job), 'completed')
  if before then return num(before) end
  local j = call('HMGET', job_key(job), 'model', 'total', 'succeeded', 'failed', 'canceled',
    'metadata', 'created', 'trace')
  call('HSET', told_key(job), 'status', status, 'model', j[1], 'total', j[2],
    'succeeded', num(j[3]), 'failed', num(j[4]), 'canceled', num(j[5]),
    'metadata', j[6], 'created', j[7], 'completed', now)
  if j[8] then call('HSET', told_key(job), 'trace', j[8]) end
  return now
end

-- One message for one receiver, ever.
local function deliver_to(job, endpoint, tenant, origin, url, status)
  local id = job..'.'..endpoint
  if call('EXISTS', out_key(id)) == 1 then return end
  local created = keep_told(job, status)
  call('HINCRBY', told_key(job), 'left', 1)
  call('HINCRBY', META, OUT_PENDING, 1)
  call('HSET', out_key(id), 'tenant', tenant, 'origin', origin, 'url', url,
    'event', 'job.'..status, 'status', 'pending', 'created', created, 'due', now)
  call('ZADD', out_index_key(tenant), 0, out_place_of(created, id))
  make_due(out_lane_of(tenant, id, origin), id, now)
end

-- Writes a delivery to the job's callback, and one to each of its tenant's
-- enabled endpoints that wants the event.
local function tell(job, tenant, status)
  local event = ',job.'..status..','
  local wants = call('HGETALL', wants_key(tenant))
  for i = 1, #wants, 2 do
    local events = wants[i + 1]
    if events == '' or string.find(','..events..',', event, 1, true) then
      local url = call('HGET', endpoint_key(tenant, wants[i]), 'url')
      deliver_to(job, wants[i], tenant, '', url, status)
    end
  end
  local callback = call('HGET', job_key(job), 'callback')
  if callback then
    local to = cjson.decode(callback)
    deliver_to(job, CALLBACKS, tenant, to.origin, to.url, status)
  end
end
