#!lua flags=allow-oom
-- Forgets API keys that ended long ago, of a page of them by age. Answers how
-- many it has looked at and how many of these are gone.
-- ARGV: 2 the first place, 3 keys at most, 4 ms since their end.
local first, latest = num(ARGV[2]), now - num(ARGV[4])
local page = call('ZRANGE', KEYS_BY_AGE, first, first + num(ARGV[3]) - 1)
local gone = 0
for _, id in ipairs(page) do
  local ends = call('HMGET', key_key(id), 'revoked_at', 'expires_at')
  local revoked, expires = tonumber(ends[1] or ''), tonumber(ends[2] or '')
  if (revoked and revoked <= latest) or (expires and expires <= latest) then
    call('DEL', key_key(id))
    call('ZREM', KEYS_BY_AGE, id)
    gone = gone + 1
  end
end
return {#page, gone}
