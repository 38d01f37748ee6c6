#!lua flags=allow-oom
-- Removes some jobs past their retention and large jobs never sealed.
-- Answers a word, the id and the number of items of each, as long as fewer
-- items than the budget have gone; then whether there may be more.
-- ARGV: 2 limit, 3 budget of items.
local limit, budget = num(ARGV[2]), num(ARGV[3])
local swept = {}
for _, due in ipairs({{EXPIRY, 'expired'}, {OPEN, 'aborted'}}) do
  for _, job in ipairs(call('ZRANGE', due[1], '-inf', now, 'BYSCORE', 'LIMIT', 0, limit)) do
    if #swept >= limit or budget <= 0 then
      settle()
      return {swept, 1}
    end
    local items = remove(job)
    budget = budget - items
    swept[#swept + 1] = {due[2], job, items}
  end
end
call('ZREMRANGEBYSCORE', DEAD, '-inf', now - WEEK)
settle()
return {swept, 0}
