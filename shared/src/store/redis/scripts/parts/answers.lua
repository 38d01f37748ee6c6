-- Answers kept for pictures that come again: a key each, which goes by itself
-- when its time is over, and the set of all by when that is. An entry that is
-- missing in either is no entry.

-- Answers give way to jobs: past half of the memory, long before jobs are
-- refused, none is added and the oldest go.
local function is_tight()
  local used, most = memory()
  return used > 0.5 * most
end

-- Forgets the answers in these places of the set.
local function forget_answers(keys)
  if #keys == 0 then return end
  call('ZREM', ANSWERS, unpack(keys))
  for i, key in ipairs(keys) do keys[i] = answer_key(key) end
  call('UNLINK', unpack(keys))
end
local function past_answers(most)
  return call('ZRANGE', ANSWERS, '-inf', now, 'BYSCORE', 'LIMIT', 0, most)
end
local function oldest_answers(most) return call('ZRANGE', ANSWERS, 0, most - 1) end
