-- How items and jobs end: the only place that writes a result.

-- Ends the job if its last item has ended, and writes whom to tell; answers
-- its status then.
local function end_job(job)
  local j = call('HMGET', job_key(job), 'total', 'succeeded', 'failed', 'canceled',
    'status', 'tenant', 'created', 'retention')
  local total, succeeded, failed, canceled = num(j[1]), num(j[2]), num(j[3]), num(j[4])
  if succeeded + failed + canceled < total then return nil end
  local status = 'succeeded'
  if canceled > 0 then status = 'canceled'
  elseif failed == total then status = 'failed'
  elseif failed > 0 then status = 'partial' end
  local expires = now + num(j[8])
  call('HSET', job_key(job), 'status', status, 'completed', now, 'expires', expires)
  move_index(j[6], job, j[7], j[5], status)
  call('ZADD', EXPIRY, expires, job)
  tell(job, j[6], status)
  return status
end

-- Ends an item that is in no queue any more. `how` is succeeded, failed or
-- canceled. Answers the job's status if that was its last item.
local function finish(item, how, outcome)
  local job, index = split(item)
  call('HSET', results_key(job), index, outcome)
  call('HDEL', sources_key(job), index)
  call('UNLINK', try_key(item))
  call('HINCRBY', job_key(job), how, 1)
  ended = ended + 1
  touched[job] = true
  return end_job(job)
end

-- Ends an item as a dead letter.
local function bury(item, outcome)
  call('ZADD', DEAD, now, item)
  call('HINCRBY', job_key(split(item)), 'dead', 1)
  return finish(item, 'failed', outcome)
end
