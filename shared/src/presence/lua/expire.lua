-- The sweep: settles users whose sessions have passed their deadline. ARGV 1 shards, 2 at most so many sessions.
-- Answers how many sessions were overdue.
local refused = guard(ARGV[1])
if refused then
  return refused
end
local now = clock()
local users, members = overdue(now, tonumber(ARGV[2]))
for _, user in ipairs(users) do
  settle(user, now)
end
-- What is still there belongs to nobody: part of the data was lost. It would be found overdue for ever.
for from = 1, #members, PART do
  redis.call('ZREM', SESSIONS, part(members, from))
end
return #members
