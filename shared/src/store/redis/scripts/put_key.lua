#!lua
-- Keeps a new API key.
-- ARGV: 2 id, 3 hash, 4 name, 5 tenant, 6 scopes, 7 weight, 8 requests a
--       minute or empty, 9 ms that it works or empty, 10 keys at most.
-- Answers a word and the key.
local id, hash, lifetime = ARGV[2], ARGV[3], ARGV[9]
local there = call('HGET', key_key(id), 'hash')
if there and there ~= hash then return {'taken', {}} end
if not there then
  if call('ZCARD', KEYS_BY_AGE) >= num(ARGV[10]) then return {'full', {}} end
  call('HSET', key_key(id), 'hash', hash, 'name', ARGV[4], 'tenant', ARGV[5], 'scopes', ARGV[6],
    'weight', ARGV[7], 'rate_per_minute', ARGV[8], 'created_at', int(now),
    'expires_at', lifetime == '' and '' or int(now + num(lifetime)))
  call('ZADD', KEYS_BY_AGE, now, id)
end
return {'kept', read_key(id)}
