#!lua flags=allow-oom
-- Renews leases. Answers which places in the list were lost, and which
-- belong to canceled jobs, counted from 0.
-- ARGV: 2 lease in ms, then from 3 on an item and its token in turn.
local lost, canceled = {}, {}
for i = 3, #ARGV, 2 do
  local item = ARGV[i]
  local held = call('HMGET', try_key(item), 'state', 'token')
  if held[1] == 'running' and held[2] == ARGV[i + 1] then
    call('ZADD', LEASES, 'XX', now + num(ARGV[2]), item)
    if call('HEXISTS', job_key(split(item)), 'cancel') == 1 then
      canceled[#canceled + 1] = (i - 3) / 2
    end
  else
    lost[#lost + 1] = (i - 3) / 2
  end
end
return {lost, canceled}
