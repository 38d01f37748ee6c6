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

-- Tells a job's end to those whom it concerns, which in most tenants is nobody:
-- what writes deliveries is made only where there is somebody.
local function tell(job, tenant, status, callback)
  callback = callback or ''
  if HOME then
    if callback ~= '' or call('EXISTS', wants_key(tenant)) == 1 then
      deliverer()(job, tenant, callback, told_of(job, status))
    end
  elseif callback ~= '' or call('SISMEMBER', EXPECTED, tenant) == 1 then
    local told = told_of(job, status)
    call('HSET', leaving_key(job), 'tenant', tenant, 'callback', callback, unpack(told))
    call('ZADD', LEAVING, now, job)
    outgoing = true
  end
end
