-- The sweep: settles users whose sessions have passed their deadline, or whose choice its end.
-- ARGV 1 shards, 2 at most so many sessions and choices.
-- Answers { how many were overdue, ms until the next one is due, or -1 where nothing is held }.
local refused = guard(ARGV[1])
if refused then
  return refused
end
local now = clock()
local users, members, choosers = overdue(now, tonumber(ARGV[2]))
for _, user in ipairs(users) do
  settle(user, now)
end
-- What is still there belongs to nobody: part of the data was lost. It would be found overdue for ever.
for from = 1, #members, PART do
  redis.call('ZREM', SESSIONS, part(members, from))
end
for from = 1, #choosers, PART do
  redis.call('ZREM', CHOICES, part(choosers, from))
end
local due = math.huge
for _, set in ipairs({ SESSIONS, CHOICES }) do
  local first = redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')
  due = math.min(due, tonumber(first[2] or math.huge))
end
return { #members + #choosers, due < math.huge and math.max(due - now, 0) or -1 }
