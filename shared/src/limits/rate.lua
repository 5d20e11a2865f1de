-- One of a rate. KEYS 1 when all of its burst is there again, in µs. ARGV 1 how many may come at once, 2 how long until there
-- is one more, in µs. Answers how long to wait, in µs: 0 where one was taken.
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000000 + tonumber(t[2])
local burst, every = tonumber(ARGV[1]), tonumber(ARGV[2])
local full = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now) + every
local wait = full - (now + burst * every)
if wait > 0 then
  return wait
end
redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000))
return 0
