-- Counts a failure. KEYS 1 "count:until", until in ms. ARGV 1 how many cost nothing, 2 what the first past these costs, 3 what
-- one costs at the most, both in ms. It is forgotten with its key.
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
local free, first, longest = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local count = tonumber(string.match(redis.call('GET', KEYS[1]) or '', '^(%d+)') or 0) + 1
local beyond = count - free
local delay = beyond < 0 and 0 or math.min(longest, first * 2 ^ math.min(beyond, 20))
local memory = beyond < 0 and first or longest * 2
redis.call('SET', KEYS[1], string.format('%d:%.0f', count, now + delay), 'PX', memory)
return count
