-- Ends one session.
-- KEYS 11 ended:s. ARGV 1 shards, 2 user, 3 session, 4 reason, 5 how long to remember it, in ms.
-- Answers { now, 1 where the user went offline by it }.
local refused = guard(ARGV[1])
if refused then
  return refused
end
local user, session = ARGV[2], ARGV[3]
local now = clock()
redis.call('SET', KEYS[11], '1', 'PX', ARGV[5])
local found = settle(user, now)
local offline = false
if found then
  offline = take_out(user, found, function(held_session)
    return held_session.id == session
  end, now, ARGV[4])
end
return { now, offline and 1 or 0 }
