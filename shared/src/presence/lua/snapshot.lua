-- Settles users, and tells what is known of them then, and of which place in the transitions that is true.
-- KEYS 11 trimmed. ARGV 1 shards, 2… users. Answers { epoch, newest, known of each as known_of() answers it }.
local refused = guard(ARGV[1])
if refused then
  return refused
end
local all = known_of(ARGV, 2, clock(), settle)
local newest = redis.call('XREVRANGE', TRANSITIONS, '+', '-', 'COUNT', 1)
return { redis.call('GET', EPOCH), newest[1] and newest[1][1] or redis.call('GET', KEYS[11]) or '0-0', all }
