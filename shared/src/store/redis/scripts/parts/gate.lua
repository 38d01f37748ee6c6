-- Whether there is a place for so many items and bytes of a tenant; answers
-- nothing, or a word, what is live, and by how much it is too much. In ARGV
-- stand from `at` on the limits: items, items of a tenant, bytes; and into how
-- many shards the caller takes the store to be parted.
local function refuse(tenant, items, bytes, at)
  local m = call('HMGET', META, 'closed', 'live', 'bytes', 'shards')
  if m[4] and m[4] ~= ARGV[at + 3] then return 'parted', num(m[4]), 0 end
  if m[1] then return 'closed', 0, 0 end
  local mine = num(call('HGET', LOADS, tenant))
  local over = mine + items - num(ARGV[at + 1])
  if over > 0 then return 'tenant_full', mine, over end
  over = num(m[2]) + items - num(ARGV[at])
  if over > 0 then return 'full', num(m[2]), over end
  -- Bytes leave with their items: by how many, nobody counts.
  if num(m[3]) + bytes > num(ARGV[at + 2]) then return 'bytes_full', num(m[3]), 1 end
end

-- The time, then each slot of ten seconds with the items that left in it.
local function drained()
  local rows = call('HGETALL', DRAINED)
  table.insert(rows, 1, now)
  return rows
end
