-- One user's sessions, live or not yet settled. ARGV 1 user. Answers { session, timeout, deadline, idle, … }.
local found = held(ARGV[1])
return found and listed(found) or {}
