-- Makes a session live.
-- KEYS 11 ended:u (all of this user's sessions up to this id were ended), 12 ended:s (this session was ended),
--      13 timeout:u (the user's timeout, where it changed lately), 14 profile:u (its profile, likewise).
-- ARGV 1 shards, 2 user, 3 session, 4 timeout_ms, 5 reason (l or h), 6 when the row was read, 7 how old that may be,
--      8 the profile, for a user who holds no session: another one's in the engine is as new or newer.
-- Answers { now, deadline }, { now, 0 } where the session was ended, { now, -1 } where the row is too old.
local refused = guard(ARGV[1])
if refused then
  return refused
end
local user, session, reason = ARGV[2], ARGV[3], ARGV[5]
local now = clock()
local up_to = redis.call('GET', KEYS[11])
if (up_to and tonumber(session) <= tonumber(up_to)) or redis.call('EXISTS', KEYS[12]) == 1 then
  return { now, 0 }
end
if now - tonumber(ARGV[6]) > tonumber(ARGV[7]) then
  return { now, -1 }
end
local timeout = tonumber(redis.call('GET', KEYS[13]) or ARGV[4])
local found, before = settle(user, now), nil
if found then
  before = view(found)
else
  found = newcomer(reason)
  adopt(found, redis.call('GET', KEYS[14]) or ARGV[8], now)
end
local deadline, idle = now + timeout, false
local others = {}
for _, other in ipairs(found.sessions) do
  if other.id == session then
    deadline = math.max(deadline, seen(other) + timeout)
    idle = other.idle
  else
    others[#others + 1] = other
  end
end
local connected = { id = session, timeout = timeout, mark = '', idle = idle, deadline = deadline }
others[#others + 1] = connected
found.sessions = others
hold(user, connected)
if before then
  tell(user, found, before, view(found), now)
elseif found.choice ~= INVISIBLE then
  emit(user, found, { online = true, at = now, last_seen = now, reason = REASONS[reason], session = session })
end
keep(user, found)
return { now, deadline }
