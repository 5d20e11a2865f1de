-- Settles users, and tells what is known of them then, and of which place in the transitions that is true.
-- KEYS 11 trimmed. ARGV 1 shards, 2… users. Answers { epoch, newest, known… }.
local refused = guard(ARGV[1])
if refused then
  return refused
end
local now = clock()
for i = 2, #ARGV do
  settle(ARGV[i], now)
end
local newest = redis.call('XREVRANGE', TRANSITIONS, '+', '-', 'COUNT', 1)
local answer = { redis.call('GET', EPOCH), newest[1] and newest[1][1] or redis.call('GET', KEYS[11]) or '0-0' }
for i = 2, #ARGV do
  answer[i + 1] = known_with_truth(ARGV[i], now)
end
return answer
