#!lua flags=allow-oom
-- Takes expired leases back: those past, and those so far ahead that only a
-- jump of the clock can have written them.
-- ARGV: 2 limit, 3 longest lease in ms, 4 solo crashes allowed, 5 crashes
--       allowed, 6 outcome of a lost item, 7 outcome of a canceled item.
local limit = num(ARGV[2])
local items = call('ZRANGE', LEASES, '-inf', now, 'BYSCORE', 'LIMIT', 0, limit)
local impossible = '('..int(now + 2 * num(ARGV[3]))
local ahead = call('ZRANGE', LEASES, impossible, '+inf', 'BYSCORE', 'LIMIT', 0, limit - #items)
for _, item in ipairs(ahead) do items[#items + 1] = item end

local requeued, dead, canceled = {}, {}, {}
for _, item in ipairs(items) do
  call('ZREM', LEASES, item)
  local try = try_key(item)
  local held = call('HMGET', try, 'state', 'solo', 'attempts')
  if held[1] == 'running' then
    local j = call('HMGET', job_key(split(item)), 'cancel', 'model', 'band', 'attempts')
    local crashes = call('HINCRBY', try, 'crashes', 1)
    local solo_crashes = call('HINCRBY', try, 'solo_crashes', held[2] and 1 or 0)
    if j[1] then
      finish(item, 'canceled', ARGV[7])
      canceled[#canceled + 1] = item
    elseif solo_crashes >= num(ARGV[4]) or crashes >= num(ARGV[5])
        or num(held[3]) >= num(j[4]) then
      bury(item, ARGV[6])
      dead[#dead + 1] = item
    else
      call('HSET', try, 'state', 'ready', 'solo', 1)
      call('ZADD', solo_key(lane_of(j[2], j[3])), now, item)
      arrived[j[2]] = true
      requeued[#requeued + 1] = item
    end
  end
end
settle()
return with_endings({requeued, dead, canceled, #items})
