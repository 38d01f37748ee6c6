#!lua flags=allow-oom
-- A worker has stopped.
-- ARGV: 2 worker.
for _, model in ipairs(call('ZRANGE', SEEN, 0, 999)) do
  call('ZREM', serving_key(model), ARGV[2])
end
return 'retired'
