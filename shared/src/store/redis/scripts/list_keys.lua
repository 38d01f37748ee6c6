#!lua flags=no-writes
-- API keys by age, a page of them.
-- ARGV: 2 the first place, 3 keys at most.
local rows = {}
local first = num(ARGV[2])
for _, id in ipairs(call('ZRANGE', KEYS_BY_AGE, first, first + num(ARGV[3]) - 1)) do
  rows[#rows + 1] = read_key(id)
end
return rows
