-- Outcomes of ended items, each behind its place, of a job with `total` items:
-- those in `count` places from `from` on.
local function results_of(job, total, from, count)
  local rows = {}
  local stop = math.min(from + count, total)
  for first = from, stop - 1, 500 do
    local indices = {}
    for index = first, math.min(first + 499, stop - 1) do indices[#indices + 1] = index end
    for i, outcome in ipairs(call('HMGET', results_key(job), unpack(indices))) do
      if outcome then rows[#rows + 1] = {indices[i], outcome} end
    end
  end
  return rows
end
