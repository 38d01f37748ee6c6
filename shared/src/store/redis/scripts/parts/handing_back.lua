-- Gives an item back that is held, untouched: the attempt does not count.
local function hand_back(item, canceled)
  call('ZREM', LEASES, item)
  local j = call('HMGET', job_key(split(item)), 'cancel', 'model', 'band')
  if j[1] then
    finish(item, 'canceled', canceled)
  else
    call('HINCRBY', try_key(item), 'attempts', -1)
    call('HDEL', try_key(item), 'solo')
    put_back(item, j[2], j[3])
  end
end
