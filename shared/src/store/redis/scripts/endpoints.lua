#!lua flags=no-writes
-- A tenant's endpoints, oldest first, or one of them: ids with their fields.
-- ARGV: 2 tenant, 3 id or nothing.
local ids = ARGV[3] ~= '' and {ARGV[3]} or call('ZRANGE', endpoints_key(ARGV[2]), 0, 999)
local rows = {}
for _, id in ipairs(ids) do
  local fields = call('HGETALL', endpoint_key(ARGV[2], id))
  if fields[1] then rows[#rows + 1] = {id, fields} end
end
return rows
