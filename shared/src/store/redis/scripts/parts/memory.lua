-- The bytes that the server uses and those that it may use. Where there is no
-- limit, or INFO is forbidden, they are 0 and 1.
local function memory()
  local info = redis.pcall('INFO', 'memory')
  if type(info) ~= 'string' then return 0, 1 end
  local used, most = figure(info, 'used_memory'), figure(info, 'maxmemory')
  if used and most and most > 0 then return used, most end
  return 0, 1
end
