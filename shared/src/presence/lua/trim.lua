-- Forgets old transitions. KEYS 11 trimmed. ARGV 1 not after this id (what the database has), 2 keep this many ms.
-- Answers how many it forgot.
local now = clock()
local ms, seq = string.match(ARGV[1], '^(%d+)-(%d+)')
local projected = tonumber(ms)
local oldest = now - tonumber(ARGV[2])
-- XTRIM MINID keeps the id that it is given; the newest projected entry may stay, which keeps this simple.
local from = math.min(projected, oldest)
if from <= 0 then
  return 0
end
local forgotten = redis.call('XTRIM', TRANSITIONS, 'MINID', int(from) .. '-0')
if forgotten > 0 then
  redis.call('SET', KEYS[11], int(from - 1) .. '-18446744073709551615')
end
return forgotten
