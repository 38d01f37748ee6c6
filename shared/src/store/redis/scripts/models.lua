#!lua flags=no-writes
-- The card of each model announced in the last week, and its live workers.
local rows = {}
for _, model in ipairs(call('ZRANGE', SEEN, '('..int(now - WEEK), '+inf', 'BYSCORE', 'LIMIT', 0, 1000)) do
  rows[#rows + 1] = {
    call('HGET', MODELS, model),
    call('ZCOUNT', serving_key(model), '('..int(now), '+inf'),
  }
end
return rows
