#!lua
-- A worker tells what it serves.
-- ARGV: 2 worker, 3 ms until that is forgotten, then from 4 on a model and
--       its card in turn.
local worker, till = ARGV[2], now + num(ARGV[3])
local serves = {}
for i = 4, #ARGV, 2 do
  local model = ARGV[i]
  serves[model] = true
  call('HSET', MODELS, model, ARGV[i + 1])
  call('ZADD', SEEN, now, model)
  call('ZADD', serving_key(model), till, worker)
  call('ZREMRANGEBYSCORE', serving_key(model), '-inf', now)
end
for _, model in ipairs(call('ZRANGE', SEEN, 0, 999)) do
  if not serves[model] then call('ZREM', serving_key(model), worker) end
end
for _, model in ipairs(call('ZRANGE', SEEN, '-inf', now - WEEK, 'BYSCORE', 'LIMIT', 0, 100)) do
  call('ZREM', SEEN, model)
  call('HDEL', MODELS, model)
  call('UNLINK', serving_key(model))
end
return 'announced'
