-- The sweep: settles users whose sessions have passed their deadline, or whose choice its end.
-- ARGV 1 shards, 2 at most so many users.
-- Answers { of how many users something was taken, whether more may be overdue (1 or 0), ms until the next one may be, or
-- -1 where nothing is held }.
local refused = guard(ARGV[1])
if refused then
  return refused
end
-- Groups that are looked at together, and in all: a script is not to hold Redis for long.
local TOGETHER, AT_MOST = 10, 30
local now, most = clock(), tonumber(ARGV[2])
local taken, looked, more, full = 0, 0, true, false
wait_to_write()
local function sweep(user, moment, found, id, held_of)
  if taken >= most then
    full = true
    return moment
  end
  taken = taken + 1
  if not found then
    lapse(user, id, held_of)
    return nil
  end
  local left = settle(user, now, found)
  return left and first_end(left)
end
while more and taken < most and looked < AT_MOST do
  local count = look(now, TOGETHER, sweep)
  looked, more = looked + count, count == TOGETHER
end
flush()
local first = redis.call('ZRANGE', DUE, 0, 0, 'WITHSCORES')[2]
return { taken, (more or full) and 1 or 0, first and math.max(tonumber(first) - now, 0) or -1 }
