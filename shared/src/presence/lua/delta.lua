-- Users of whom the database may not yet say what is true for everybody.
-- ARGV 1 overdue users to count at most, 2 where to go on in unprojected (0 first).
-- Answers { counts, next (0 at the end), users, known of each as known_of() answers it }; counts begin with -1 where too
-- much is overdue.
local now = clock()
local late = overdue(now, tonumber(ARGV[1]))
local page = redis.call('HSCAN', UNPROJECTED, ARGV[2], 'COUNT', 1000)
local users, met = {}, {}
for i = 1, #page[2], 2 do
  users[#users + 1] = page[2][i]
  met[page[2][i]] = true
end
local all = known_of(users, 1, now)
if late and ARGV[2] == '0' then
  for i = 1, #late, 2 do
    local user = late[i]
    local public = known(user, now, late[i + 1])
    -- Of an invisible one it holds what the database says.
    if public[1] ~= 0 and not met[user] then
      users[#users + 1] = user
      all[#all + 1] = public
    end
  end
end
return { counts(now, late), page[1], users, all }
