-- A page of the users that the shard holds. ARGV 1 where to go on (0 first).
-- Answers { next, user, { session, timeout, deadline, … }, … }.
local page = redis.call('HSCAN', USERS, ARGV[1], 'COUNT', 500)
local answer = { page[1] }
for i = 1, #page[2], 2 do
  local user = page[2][i]
  local found, sessions = held(user), {}
  for _, session in ipairs(found and found.sessions or {}) do
    sessions[#sessions + 1] = tonumber(session.id)
    sessions[#sessions + 1] = session.timeout
    sessions[#sessions + 1] = session.deadline
  end
  answer[#answer + 1] = user
  answer[#answer + 1] = sessions
end
return answer
