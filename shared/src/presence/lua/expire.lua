-- The sweep: settles users whose sessions have passed their deadline. ARGV 1 shards, 2 at most so many sessions.
-- Answers how many sessions were overdue.
local refused = guard(ARGV[1])
if refused then
  return refused
end
local now = clock()
local users, sessions = overdue(now, tonumber(ARGV[2]))
for _, user in ipairs(users) do
  settle(user, now)
end
return sessions
