-- Says whether nobody has touched a session's device for long. ARGV 1 shards, 2 user, 3 session, 4 whether (1 or 0).
-- Answers 1 where the session is live.
local refused = guard(ARGV[1])
if refused then
  return refused
end
local user, id, idle = ARGV[2], ARGV[3], ARGV[4] == '1'
local now = clock()
local found = settle(user, now)
for _, session in ipairs(found and found.sessions or {}) do
  if session.id == id then
    if session.idle ~= idle then
      local before = view(found)
      session.idle = idle
      tell(user, found, before, view(found), now)
      keep(user, found)
    end
    return 1
  end
end
return 0
