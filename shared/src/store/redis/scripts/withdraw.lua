#!lua flags=allow-oom
-- A worker serves a model no longer, because it was taken away. Was it the
-- last, the model is forgotten.
-- ARGV: 2 worker, 3 model.
local model = ARGV[3]
call('ZREM', serving_key(model), ARGV[2])
if call('ZCOUNT', serving_key(model), '('..int(now), '+inf') == 0 then
  call('ZREM', SEEN, model)
  call('HDEL', MODELS, model)
  call('UNLINK', serving_key(model))
end
return 'withdrawn'
