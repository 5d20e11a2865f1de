-- Appends that what two users are to each other has changed. ARGV 1 shards, 2 user, 3 the other. The s is as in
-- present.lua.
local refused = guard(ARGV[1])
if refused then
  return refused
end
redis.call('XADD', TRANSITIONS, '*', 'u', ARGV[2], 't', ARGV[3], 's', '0', 'l', '0')
return 1
