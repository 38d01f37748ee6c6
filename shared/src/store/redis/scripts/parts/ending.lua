-- How items and jobs end: the only place that writes a result.

-- Jobs that this script has ended: model, status, when created, when ended.
local endings = {}

-- What a script that may end jobs answers: its own answer, and the endings.
local function with_endings(answer) return {answer, endings} end

-- Counts an item that has ended as `how`, and ends its job if it was the last,
-- writing whom to tell; answers the job's status then.
local function count_ended(job, how)
  local j = call('HMGET', job_key(job), 'total', 'succeeded', 'failed', 'canceled',
    'status', 'tenant', 'created', 'retention', 'model', 'callback')
  leave(j[6], 1)
  local counts = {succeeded = num(j[2]), failed = num(j[3]), canceled = num(j[4])}
  counts[how] = counts[how] + 1
  local total = num(j[1])
  if counts.succeeded + counts.failed + counts.canceled < total then
    call('HSET', job_key(job), how, counts[how])
    touched[job] = 'changed'
    return nil
  end
  local status = 'succeeded'
  if counts.canceled > 0 then status = 'canceled'
  elseif counts.failed == total then status = 'failed'
  elseif counts.failed > 0 then status = 'partial' end
  local expires = now + num(j[8])
  call('HSET', job_key(job), how, counts[how], 'status', status, 'completed', now,
    'expires', expires)
  move_index(j[6], job, j[7], j[5], status)
  call('ZADD', EXPIRY, expires, job)
  endings[#endings + 1] = {j[9], status, num(j[7]), now}
  touched[job] = 'ended'
  tell(job, j[6], status, j[10])
  return status
end

-- Ends an item that is in no queue any more. `how` is succeeded, cached (which
-- is succeeded without work), failed, canceled or dead (which is failed, and
-- keeps its image for those who look into it). Answers the job's status if that
-- was its last item.
local function finish(item, how, outcome)
  local job, index = split(item)
  call('HSET', results_key(job), index, outcome)
  local source = call('HGET', sources_key(job), index) or ''
  freed = freed + bytes_of(source)
  call('HDEL', sources_key(job), index)
  if how ~= 'dead' and string.sub(source, 1, 6) == 'upload' then
    call('UNLINK', try_key(item), blob_key(item))
  else
    call('UNLINK', try_key(item))
  end
  if how == 'cached' or how == 'dead' then
    call('HINCRBY', job_key(job), how, 1)
    how = how == 'cached' and 'succeeded' or 'failed'
  end
  return count_ended(job, how)
end

-- Ends an item as a dead letter.
local function bury(item, outcome)
  call('ZADD', DEAD, now, item)
  return finish(item, 'dead', outcome)
end
