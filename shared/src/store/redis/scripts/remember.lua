#!lua flags=allow-oom
-- Keeps answers, while there is room. As many go as come, at most twice.
-- ARGV: 2 ms for which they are kept, 3 answers kept at most, then from 4 on a
--       key and its entry in turn, at least one.
local ttl, most, coming = num(ARGV[2]), num(ARGV[3]), (#ARGV - 3) / 2
local tight = is_tight()
forget_answers(past_answers(2 * coming))
if not tight then
  for i = 4, #ARGV, 2 do
    call('SET', answer_key(ARGV[i]), ARGV[i + 1], 'PX', ARGV[2])
    call('ZADD', ANSWERS, int(now + ttl), ARGV[i])
  end
  -- In a shard that is given up, the set goes with the last of them.
  if call('PEXPIRE', ANSWERS, ARGV[2], 'NX') == 0 then call('PEXPIRE', ANSWERS, ARGV[2], 'GT') end
end
local over = call('ZCARD', ANSWERS) - most
if tight then over = math.max(over, coming) end
if over > 0 then forget_answers(oldest_answers(math.min(over, 2 * coming))) end
return 'remembered'
