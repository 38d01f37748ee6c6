#!lua flags=no-writes
-- What is where: the lanes with ready items, each with the creation of its
-- oldest, then items delayed, running and live, dead letters, deliveries that
-- are pending, when a claim should look at the first of those it may, and
-- answers kept.

-- A lane is sorted by fairness, not by age, but each tenant's oldest item is
-- its first: looking at the head finds the oldest of all, unless more
-- tenants wait than this.
local HEAD = 64

local function oldest_of(key, oldest)
  for _, item in ipairs(call('ZRANGE', key, 0, HEAD - 1)) do
    local created = tonumber(call('HGET', job_key(split(item)), 'created'))
    if created and (not oldest or created < oldest) then oldest = created end
  end
  return oldest
end

local rows = {}
for _, lane in ipairs(call('HKEYS', LANES)) do
  local ready = call('ZCARD', ready_key(lane)) + call('ZCARD', solo_key(lane))
  if ready > 0 then
    local oldest = oldest_of(solo_key(lane), oldest_of(ready_key(lane)))
    local model, band = string.match(lane, '^(.*):(%d)$')
    rows[#rows + 1] = {model, band, ready, oldest or false}
  end
end
-- Ends that the home has not heard of yet are pending too.
local leaving = P..'leaving'
local first = call('ZRANGE', OUT_TENANTS, 0, 0, 'WITHSCORES')[2]
  or call('ZRANGE', leaving, 0, 0, 'WITHSCORES')[2]
return {
  rows,
  call('ZCARD', DELAYED),
  call('ZCARD', LEASES),
  num(call('HGET', META, 'live')),
  call('ZCOUNT', DEAD, '('..int(now - WEEK), '+inf'),
  num(call('HGET', META, OUT_PENDING)) + call('ZCARD', leaving),
  first and math.floor(num(first)) or false,
  call('ZCARD', ANSWERS),
}
