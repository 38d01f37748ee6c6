#!lua flags=no-writes
-- What the server that has this shard says of itself.
-- ARGV: 2 section.
return call('INFO', ARGV[2])
