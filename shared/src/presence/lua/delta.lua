-- Users of whom the database may not yet say what is true for everybody.
-- ARGV 1 overdue users to count at most, 2 where to go on in unprojected (0 first).
-- Answers { counts, next (0 at the end), users, known of each as known_of() answers it }; counts begin with -1 where too
-- much is overdue.
local now = clock()
local most = tonumber(ARGV[1])
local page = redis.call('HSCAN', UNPROJECTED, ARGV[2], 'COUNT', 1000)
local users, met = {}, {}
for i = 1, #page[2], 2 do
  users[#users + 1] = page[2][i]
  met[page[2][i]] = true
end
local all = known_of(users, 1, now)
if ARGV[2] == '0' then
  for _, user in ipairs((overdue(now, most))) do
    local public = known(user, now, held(user))
    -- Of an invisible one it holds what the database says.
    if public[1] ~= 0 and not met[user] then
      users[#users + 1] = user
      all[#all + 1] = public
    end
  end
end
return { counts(now, most), page[1], users, all }
