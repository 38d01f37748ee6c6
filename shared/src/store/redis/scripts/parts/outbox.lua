-- The step that ends a job also writes whom to tell. Who that is, the home
-- knows; another shard writes down what is to be told, and senders take it
-- there.
local HOME = P == '{aisle:0}:'
local LEAVING, EXPECTED = P..'leaving', P..'expected'
local function leaving_key(job) return P..'leaving:'..job end

-- What is told of a job that ends now, as fields of a hash.
local function told_of(job, status)
  local j = call('HMGET', job_key(job), 'model', 'total', 'succeeded', 'failed', 'canceled',
    'metadata', 'created', 'trace')
  local told = {'status', status, 'model', j[1], 'total', j[2],
    'succeeded', num(j[3]), 'failed', num(j[4]), 'canceled', num(j[5]),
    'metadata', j[6], 'created', j[7]}
  if j[8] then told[#told + 1], told[#told + 2] = 'trace', j[8] end
  told[#told + 1], told[#told + 2] = 'completed', int(now)
  return told
end

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

local function tell(job, tenant, status)
  local callback = call('HGET', job_key(job), 'callback') or ''
  if HOME then
    if callback ~= '' or call('EXISTS', wants_key(tenant)) == 1 then
      deliver(job, tenant, callback, told_of(job, status))
    end
  elseif callback ~= '' or call('SISMEMBER', EXPECTED, tenant) == 1 then
    local told = told_of(job, status)
    call('HSET', leaving_key(job), 'tenant', tenant, 'callback', callback, unpack(told))
    call('ZADD', LEAVING, now, job)
    outgoing = true
  end
end
