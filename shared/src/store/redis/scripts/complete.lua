#!lua flags=allow-oom
-- Records outcomes, each fenced by its lease. Answers a word and the job's
-- final status, or nothing, for each.
-- ARGV: from 2 on an item, its token, succeeded|cached|failed|canceled, the
--       outcome.
local answers = {}
for i = 2, #ARGV, 4 do
  local item = ARGV[i]
  local job, index = split(item)
  local held = call('HMGET', try_key(item), 'state', 'token')
  if held[1] == 'running' and held[2] == ARGV[i + 1] then
    call('ZREM', LEASES, item)
    answers[#answers + 1] = {'stored', finish(item, ARGV[i + 2], ARGV[i + 3]) or ''}
  elseif held[1] or call('HEXISTS', sources_key(job), index) == 1 then
    answers[#answers + 1] = {'fenced', ''}
  else
    answers[#answers + 1] = {'gone', ''}
  end
end
settle()
return with_endings(answers)
