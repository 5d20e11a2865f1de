-- What is known of each user, and how many are online. ARGV 1 overdue sessions to count at most, 2… users.
-- Answers { online or -1, known… }.
local now = clock()
local answer = { count_online(now, tonumber(ARGV[1])) }
for i = 2, #ARGV do
  answer[i] = known(ARGV[i], now)
end
return answer
