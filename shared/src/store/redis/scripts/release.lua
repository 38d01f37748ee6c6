#!lua flags=allow-oom
-- Gives items back untouched; those no longer held are skipped.
-- ARGV: 2 outcome of a canceled item, then from 3 on an item and its token.
for i = 3, #ARGV, 2 do
  local item = ARGV[i]
  local held = call('HMGET', try_key(item), 'state', 'token')
  if held[1] == 'running' and held[2] == ARGV[i + 1] then hand_back(item, ARGV[2]) end
end
settle()
return with_endings('released')
