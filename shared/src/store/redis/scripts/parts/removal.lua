-- Removing a job with every key that it has.

-- Calls `act` with at most 500 of the items `first` to `last` at a time.
local function in_chunks(items, act)
  for first = 1, #items, 500 do
    act({unpack(items, first, math.min(first + 499, #items))})
  end
end

local function keys_of(items, key_of)
  local keys = {}
  for i, item in ipairs(items) do keys[i] = key_of(item) end
  return unpack(keys)
end

local function all_items(job, total)
  local items = {}
  for index = 0, total - 1 do items[index + 1] = job..'.'..index end
  return items
end

-- Takes the items that have not ended out of every queue.
local function withdraw(job, lane)
  local items, rows = {}, call('HGETALL', sources_key(job))
  for i = 1, #rows, 2 do
    items[#items + 1] = job..'.'..rows[i]
    freed = freed + bytes_of(rows[i + 1])
  end
  in_chunks(items, function(some)
    for _, queue in ipairs({ready_key(lane), solo_key(lane), DELAYED, LEASES}) do
      call('ZREM', queue, unpack(some))
    end
    call('UNLINK', keys_of(some, try_key))
  end)
end

-- Answers how many items the job had.
local function remove(job)
  local j = call('HMGET', job_key(job), 'tenant', 'status', 'total', 'model', 'band', 'created',
    'succeeded', 'failed', 'canceled', 'uploads', 'dead', 'key')
  local tenant, status, total = j[1], j[2], num(j[3])
  withdraw(job, lane_of(j[4], j[5]))
  if j[10] then
    in_chunks(all_items(job, total), function(some) call('UNLINK', keys_of(some, blob_key)) end)
  end
  if j[11] then
    in_chunks(all_items(job, total), function(some) call('ZREM', DEAD, unpack(some)) end)
  end
  if status == 'open' then
    call('ZREM', OPEN, job)
    -- Nobody was told of it, so its caller may begin anew.
    if j[12] then call('UNLINK', key_key(tenant, j[12])) end
  else
    local place = place_of(job, j[6])
    call('ZREM', index_key(tenant), place)
    call('ZREM', index_key(tenant, status), place)
    call('ZREM', EXPIRY, job)
    call('SET', tombstone_key(job), int(now + WEEK)..' '..tenant, 'PX', WEEK)
  end
  call('UNLINK', job_key(job), sources_key(job), results_key(job))
  leave(tenant, total - num(j[7]) - num(j[8]) - num(j[9]))
  touched[job] = 'ended'
  return total
end
