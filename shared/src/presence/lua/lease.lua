-- Takes or renews a lease. KEYS 1 the lease. ARGV 1 the holder, 2 for how many ms. Answers 1 where the holder has it.
local holder = redis.call('GET', KEYS[1])
if not holder or holder == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return 1
end
return 0
