-- A stretch of the stream. KEYS 11 trimmed. ARGV 1 after this id, 2 at most so many, 3 shards.
-- Answers { epoch, trimmed, newest, entries }.
local refused = guard(ARGV[3])
if refused then
  return refused
end
local trimmed = redis.call('GET', KEYS[11]) or '0-0'
local newest = redis.call('XREVRANGE', TRANSITIONS, '+', '-', 'COUNT', 1)
local entries = redis.call('XRANGE', TRANSITIONS, '(' .. ARGV[1], '+', 'COUNT', ARGV[2])
return { redis.call('GET', EPOCH), trimmed, newest[1] and newest[1][1] or trimmed, entries }
