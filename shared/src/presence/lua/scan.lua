-- A page of the users that the shard holds, of whom it is seen to that somebody looks at each in time, should that have been
-- lost. ARGV 1 where to go on (0 first).
-- Answers { next, user, { session, timeout, deadline, idle, … }, profile, … }.
local page = redis.call('HSCAN', GROUPS, ARGV[1], 'COUNT', 50)
local answer = { page[1] }
for i = 1, #page[2], 2 do
  -- Of n, which is no group, this finds nobody.
  for user in string.gmatch(page[2][i + 1], '\n(%d+)') do
    local found = held(user, value_in(page[2][i + 1], user))
    watch(user, found)
    answer[#answer + 1] = user
    answer[#answer + 1] = listed(found)
    answer[#answer + 1] = profile_of(found)
  end
end
return answer
