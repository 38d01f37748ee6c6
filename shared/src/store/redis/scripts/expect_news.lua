#!lua
-- Has the ends of these tenants' jobs told to the home, which knows whom they
-- concern. Nobody is ever taken out: a message for no one is no harm.
-- ARGV: from 2 on tenants.
for i = 2, #ARGV do call('SADD', EXPECTED, ARGV[i]) end
return 'expected'
