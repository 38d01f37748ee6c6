#!lua flags=allow-oom
-- Cancels a job, some items at a time: those that wait end here, those that
-- run learn of it by their leases.
-- ARGV: 2 tenant, 3 job, 4 first place to look at, 5 places to look at,
--       6 outcome of a canceled item.
local job = ARGV[3]
local j = call('HMGET', job_key(job), 'tenant', 'status', 'total', 'model', 'band', 'cancel')
if j[1] ~= ARGV[2] or j[2] == 'open' then return with_endings({'unknown', '', {}}) end
if j[2] == 'canceled' then return with_endings({'requested', '', {}}) end
if j[2] ~= 'queued' and j[2] ~= 'processing' then
  return with_endings({'ended', j[2], {}})
end
if not j[6] then
  call('HSET', job_key(job), 'cancel', 1)
  touched[job] = 'changed'
end

local lane = lane_of(j[4], j[5])
local first = num(ARGV[4])
local stop = math.min(first + num(ARGV[5]), num(j[3]))
local indices, here = {}, {}
for index = first, stop - 1 do indices[#indices + 1] = index end
for i, source in ipairs(indices[1] and call('HMGET', sources_key(job), unpack(indices)) or {}) do
  local item = job..'.'..indices[i]
  local state = source and call('HGET', try_key(item), 'state')
  if source and state ~= 'running' then
    if state == 'delayed' then
      call('ZREM', DELAYED, item)
    else
      call('ZREM', ready_key(lane), item)
      call('ZREM', solo_key(lane), item)
    end
    finish(item, 'canceled', ARGV[6])
    here[#here + 1] = indices[i]
  end
end
settle()
return with_endings({'requested', stop < num(j[3]) and stop or '', here})
