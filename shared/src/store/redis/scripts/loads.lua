#!lua flags=no-writes
-- What a shard holds against the caps: live items, those of a tenant, bytes
-- of uploads, and how items left lately.
-- ARGV: 2 tenant.
local m = call('HMGET', META, 'live', 'bytes')
return {num(m[1]), num(call('HGET', LOADS, ARGV[2])), num(m[2]), drained()}
