#!lua flags=no-writes
-- What is kept under each key, or nothing.
-- ARGV: from 2 on keys, at least one.
local keys = {}
for i = 2, #ARGV do keys[#keys + 1] = answer_key(ARGV[i]) end
local entries = call('MGET', unpack(keys))
for i, till in ipairs(call('ZMSCORE', ANSWERS, unpack(ARGV, 2))) do
  if num(till) <= now then entries[i] = false end
end
return entries
