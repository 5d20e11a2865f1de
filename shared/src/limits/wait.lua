-- How long another try has to wait, in ms. KEYS 1 as in failures.lua.
local value = redis.call('GET', KEYS[1])
if not value then
  return 0
end
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
return math.max(tonumber(string.match(value, ':(%d+)$')) - now, 0)
