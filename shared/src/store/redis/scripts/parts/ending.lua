-- How items and jobs end: the only place that writes a result.

-- Jobs that this script has ended: model, status, when created, when ended.
local endings = {}

-- What a script that may end jobs answers: its own answer, and the endings.
local function with_endings(answer) return {answer, endings} end

-- Ends the job if its last item has ended, and writes whom to tell; answers
-- its status then.
local function end_job(job)
  local j = call('HMGET', job_key(job), 'total', 'succeeded', 'failed', 'canceled',
    'status', 'tenant', 'created', 'retention', 'model')
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
  endings[#endings + 1] = {j[9], status, num(j[7]), now}
  touched[job] = 'ended'
  tell(job, j[6], status)
  return status
end

-- Ends an item that is in no queue any more. `how` is succeeded, cached (which
-- is succeeded without work), failed or canceled. Answers the job's status if
-- that was its last item.
local function finish(item, how, outcome)
  local job, index = split(item)
  if how == 'cached' then
    call('HINCRBY', job_key(job), 'cached', 1)
    how = 'succeeded'
  end
  call('HSET', results_key(job), index, outcome)
  freed = freed + bytes_of(call('HGET', sources_key(job), index) or '')
  call('HDEL', sources_key(job), index)
  call('UNLINK', try_key(item))
  call('HINCRBY', job_key(job), how, 1)
  leave(call('HGET', job_key(job), 'tenant'), 1)
  touched[job] = 'changed'
  return end_job(job)
end

-- Ends an item as a dead letter.
local function bury(item, outcome)
  call('ZADD', DEAD, now, item)
  call('HINCRBY', job_key(split(item)), 'dead', 1)
  return finish(item, 'failed', outcome)
end
