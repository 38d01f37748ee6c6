#!lua flags=no-writes
-- An API key, or nothing.
-- ARGV: 2 id.
return read_key(ARGV[2])
