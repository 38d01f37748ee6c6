#!lua flags=no-writes
-- Some of the keys that match a pattern, and where to go on.
-- ARGV: 2 where to begin, 3 pattern.
return call('SCAN', ARGV[2], 'MATCH', ARGV[3], 'COUNT', 1000)
