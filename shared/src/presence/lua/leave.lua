-- A session says that it is leaving: it has a grace for a timeout from now on, unless its own is no longer.
-- ARGV 1 shards, 2 user, 3 session, 4 grace_ms. Answers { now, its deadline, or 0 where it is not live }.
local refused = guard(ARGV[1])
if refused then
  return refused
end
local user, id, grace = ARGV[2], ARGV[3], tonumber(ARGV[4])
local now = clock()
local found = settle(user, now)
for _, session in ipairs(found and found.sessions or {}) do
  if session.id == id then
    if session.mark == '' and session.timeout > grace then
      session.timeout, session.mark, session.deadline = grace, 'l', now + grace
      hold(user, session)
      keep(user, found)
    end
    return { now, session.deadline }
  end
end
return { now, 0 }
