-- Ends all of a user's sessions with ids up to ARGV 3.
-- KEYS 11 ended:u. ARGV 1 shards, 2 user, 3 up to, 4 reason, 5 how long to remember it, in ms.
-- Answers { now, 1 where the user went offline by it }.
local refused = guard(ARGV[1])
if refused then
  return refused
end
local user, up_to = ARGV[2], tonumber(ARGV[3])
local now = clock()
local before = tonumber(redis.call('GET', KEYS[11]) or 0)
redis.call('SET', KEYS[11], int(math.max(before, up_to)), 'PX', ARGV[5])
local found = settle(user, now)
local offline = false
if found then
  offline = take_out(user, found, function(session)
    return tonumber(session.id) <= up_to
  end, now, ARGV[4])
end
return { now, offline and 1 or 0 }
