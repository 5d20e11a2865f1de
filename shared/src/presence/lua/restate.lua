-- Appends a transition that says what is true of a user now, for a database that missed one. An invisible user is
-- offline.
-- ARGV 1 shards, 2 user, 3 whether the database says online (1 or 0), 4 at, 5 last_seen, 6 reason, of an offline.
-- Answers 1 where it appended one.
local refused = guard(ARGV[1])
if refused then
  return refused
end
local user, says_online = ARGV[2], ARGV[3] == '1'
local now = clock()
local found = settle(user, now)
local online = found ~= nil and found.choice ~= INVISIBLE
if redis.call('HEXISTS', UNPROJECTED, user) == 1 or online == says_online then
  return 0
end
if online then
  local told = { online = true, at = now, last_seen = newest_of(found), reason = REASONS[found.reason] }
  told.session = found.sessions[1].id
  emit(user, found, told)
else
  local told = { at = tonumber(ARGV[4]), last_seen = tonumber(ARGV[5]), reason = ARGV[6] }
  emit(user, found or { privacy = EVERYONE }, told)
end
return 1
