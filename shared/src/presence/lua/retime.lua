-- Changes a user's timeout: each deadline becomes the last sign of life and the new timeout.
-- KEYS 11 timeout:u. ARGV 1 shards, 2 user, 3 timeout_ms, 4 how long to remember it, in ms.
local refused = guard(ARGV[1])
if refused then
  return refused
end
local user, timeout = ARGV[2], tonumber(ARGV[3])
local now = clock()
redis.call('SET', KEYS[11], int(timeout), 'PX', ARGV[4])
local found = settle(user, now)
if found then
  for _, session in ipairs(found.sessions) do
    -- A session that is leaving keeps its grace: its next sign of life brings the new timeout.
    if session.mark == '' then
      session.deadline = seen(session) + timeout
      session.timeout = timeout
      hold(user, session)
    end
  end
  keep(user, found)
  -- A shorter timeout may have ended some of them already.
  settle(user, now)
end
return now
