-- Appends a transition that says what is true of a user now, for a database that missed one.
-- ARGV 1 shards, 2 user, 3 whether the database says online (1 or 0), 4 at, 5 last_seen, 6 reason, of an offline.
-- Answers 1 where it appended one.
local refused = guard(ARGV[1])
if refused then
  return refused
end
local user, says_online = ARGV[2], ARGV[3] == '1'
local now = clock()
local found = settle(user, now)
if redis.call('HEXISTS', UNPROJECTED, user) == 1 or (found ~= nil) == says_online then
  return 0
end
if found then
  local last_seen = found.gone
  for _, session in ipairs(found.sessions) do
    last_seen = math.max(last_seen, seen(session))
  end
  emit(user, '1', now, last_seen, REASONS[found.reason], found.sessions[1].id)
else
  emit(user, '0', tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6], '')
end
return 1
