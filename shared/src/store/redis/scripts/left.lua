#!lua flags=allow-oom
-- Forgets what the home has been told.
-- ARGV: from 2 on jobs.
for i = 2, #ARGV do
  call('ZREM', LEAVING, ARGV[i])
  call('UNLINK', leaving_key(ARGV[i]))
end
return 'left'
