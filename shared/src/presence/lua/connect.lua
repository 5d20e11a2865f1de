-- Makes a session live.
-- KEYS 6 ended:u (all of this user's sessions up to this id were ended), 7 ended:s (this session was ended),
--      8 timeout:u (the user's timeout, where it changed lately).
-- ARGV 1 shards, 2 user, 3 session, 4 timeout_ms, 5 reason (l or h), 6 when the row was read, 7 how old that may be.
-- Answers { now, deadline }, { now, 0 } where the session was ended, { now, -1 } where the row is too old.
local refused = guard(ARGV[1])
if refused then
  return refused
end
local user, session, reason = ARGV[2], ARGV[3], ARGV[5]
local now = clock()
local up_to = redis.call('GET', KEYS[6])
if (up_to and tonumber(session) <= tonumber(up_to)) or redis.call('EXISTS', KEYS[7]) == 1 then
  return { now, 0 }
end
if now - tonumber(ARGV[6]) > tonumber(ARGV[7]) then
  return { now, -1 }
end
local timeout = tonumber(redis.call('GET', KEYS[8]) or ARGV[4])
local found = settle(user, now)
if not found then
  found = { reason = reason, gone = 0, sessions = {} }
  emit(user, '1', now, now, REASONS[reason], session)
end
local deadline = now + timeout
local others = {}
for _, other in ipairs(found.sessions) do
  if other.id == session then
    redis.call('ZREM', SESSIONS, member(user, other))
    deadline = math.max(deadline, seen(other) + timeout)
  else
    others[#others + 1] = other
  end
end
local connected = { id = session, timeout = timeout, mark = '' }
others[#others + 1] = connected
found.sessions = others
redis.call('ZADD', SESSIONS, deadline, member(user, connected))
keep(user, found)
return { now, deadline }
