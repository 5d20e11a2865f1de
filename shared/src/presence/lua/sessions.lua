-- One user's sessions, live or not yet settled. ARGV 1 user. Answers { session, timeout, deadline, … }.
local found, answer = held(ARGV[1]), {}
if found then
  for _, session in ipairs(found.sessions) do
    answer[#answer + 1] = tonumber(session.id)
    answer[#answer + 1] = session.timeout
    answer[#answer + 1] = session.deadline
  end
end
return answer
