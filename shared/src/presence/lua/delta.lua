-- Users of whom the database may not yet say what is true for everybody.
-- ARGV 1 overdue sessions and choices to count at most, 2 where to go on in unprojected (0 first).
-- Answers { counts, next (0 at the end), user, known, user, known… }; counts begin with -1 where too much is overdue.
local now = clock()
local most = tonumber(ARGV[1])
local page = redis.call('HSCAN', UNPROJECTED, ARGV[2], 'COUNT', 1000)
local answer, met = { counts(now, most), page[1] }, {}
local function add(user, known_of_it)
  if not met[user] then
    met[user] = true
    answer[#answer + 1] = user
    answer[#answer + 1] = known_of_it
  end
end
for i = 1, #page[2], 2 do
  add(page[2][i], (known(page[2][i], now)))
end
if ARGV[2] == '0' then
  for _, user in ipairs((overdue(now, most))) do
    local public = known(user, now)
    -- Of an invisible one it holds what the database says.
    if public[1] ~= 0 then
      add(user, public)
    end
  end
end
return answer
