#!lua
-- A real write and read; and into how many shards the store is parted.
-- ARGV: 2 a word to write.
call('SET', P..'check', ARGV[2], 'PX', 60000)
return {call('GET', P..'check'), num(call('HGET', META, 'shards'))}
