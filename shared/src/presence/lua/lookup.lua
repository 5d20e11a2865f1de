-- What is known of each user, and how many are online. ARGV 1 overdue users to count at most, 2… users.
-- Answers { counts, known of each as known_of() answers it }; counts begin with -1 where too much is overdue.
local now = clock()
return { counts(now, overdue(now, tonumber(ARGV[1]))), known_of(ARGV, 2, now) }
