#!lua flags=no-writes
-- Whether a job of one small item would be taken in, as refuse() says; the
-- memory is looked at first.
-- ARGV: 2 tenant, 3 items allowed, 4 items allowed to a tenant, 5 bytes of
--       uploads allowed, 6 shards.
local word, live, over = refuse(ARGV[2], 1, 1, 3)
if not word then
  local used, most = memory()
  if used > 0.7 * most then word, live = 'memory', used end
end
return {word or 'admitted', live or 0, over or 0, drained()}
