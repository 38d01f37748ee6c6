#!lua flags=no-writes
-- A delivery's fields and its attempts, or nothing.
-- ARGV: 2 tenant, 3 delivery.
local id = ARGV[3]
if call('HGET', out_key(id), 'tenant') ~= ARGV[2] then return {} end
return {{id, call('HGETALL', out_key(id)), call('LRANGE', attempts_key(id), 0, -1)}}
