-- Users of whom the database may not yet say what is true.
-- ARGV 1 overdue sessions to count at most, 2 where to go on in unprojected (0 first).
-- Answers { online or -1, next (0 at the end), user, known, user, known… }.
local now = clock()
local most = tonumber(ARGV[1])
local online = count_online(now, most)
local page = redis.call('HSCAN', UNPROJECTED, ARGV[2], 'COUNT', 1000)
local answer, met = { online, page[1] }, {}
local function add(user)
  if not met[user] then
    met[user] = true
    answer[#answer + 1] = user
    answer[#answer + 1] = known(user, now)
  end
end
for i = 1, #page[2], 2 do
  add(page[2][i])
end
if ARGV[2] == '0' then
  for _, user in ipairs((overdue(now, most))) do
    add(user)
  end
end
return answer
