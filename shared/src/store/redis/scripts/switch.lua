#!lua flags=allow-oom
-- Turns a switch on or off, and answers how both stand.
-- ARGV: 2 closed, paused or nothing, 3 1 for on and 0 for off.
if ARGV[2] ~= '' then
  if ARGV[3] == '1' then
    call('HSET', META, ARGV[2], 1)
  elseif call('HDEL', META, ARGV[2]) == 1 and ARGV[2] == 'paused' then
    for _, lane in ipairs(call('HKEYS', LANES)) do
      arrived[string.match(lane, '^(.*):%d$')] = true
    end
  end
end
settle()
return {call('HEXISTS', META, 'closed'), call('HEXISTS', META, 'paused')}
