-- Changes what a user shows, or who may see it.
-- KEYS 11 profile:u. ARGV 1 shards, 2 user, 3 the profile, 4 who might see what before, as the caller knows it, 5 who
-- may now, 6 how long to remember the profile, in ms.
local refused = guard(ARGV[1])
if refused then
  return refused
end
local user = ARGV[2]
local now = clock()
redis.call('SET', KEYS[11], ARGV[3], 'PX', ARGV[6])
local found = settle(user, now)
local before = found and view(found)
-- What is held counts, where it differs: a call that is repeated after it failed finds the difference still. Else what
-- the caller knows: a log-in may have brought the new one already, and told nobody whom that took it from.
local privacy = found and found.privacy ~= ARGV[5] and found.privacy or ARGV[4]
if found then
  adopt(found, ARGV[3], now)
end
-- First, so that whatever comes after it is for those who may see it from now on. The s makes it a session that left,
-- and none that there is, for a reader who does not know of privacy yet.
if privacy ~= ARGV[5] then
  redis.call('XADD', TRANSITIONS, '*', 'u', user, 'q', privacy, 'p', ARGV[5], 's', '0', 'l', '0')
end
if found then
  tell(user, found, before, view(found), now)
  keep(user, found)
end
return now
