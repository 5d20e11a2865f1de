-- What is known of each user, and how many are online. ARGV 1 overdue sessions and choices to count at most, 2… users.
-- Answers { counts, known… }; counts begin with -1 where too much is overdue.
local now = clock()
local answer = { counts(now, tonumber(ARGV[1])) }
for i = 2, #ARGV do
  answer[i] = known_with_truth(ARGV[i], now)
end
return answer
