-- The shard's epoch, made where there is none, and the time. ARGV 1 shards. Answers { epoch, now }.
local refused = guard(ARGV[1])
if refused then
  return refused
end
return { redis.call('GET', EPOCH), clock() }
