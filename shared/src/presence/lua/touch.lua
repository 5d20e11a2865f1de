-- A batch of heartbeats, of one shard or of several on one server: extends the sessions that are live.
-- KEYS deadlines of each shard. ARGV for each shard how many members it has, at most 1000; then these, "user:session".
-- Answers { now, deadline, place, deadline, place, deadline… }: the deadline of all, but of the members at these places,
-- from 1 on: 0 for one that is not known to be live. Each has the timeout that the engine holds, whatever its token says.
-- One that said that it is leaving is not known: the connect that follows gives it its timeout back.
local now = clock()
local common
local answer = { now, 0 }

-- By how a value ends: its new deadline, and the whole value; false for a session that is leaving. Few timeouts are in use,
-- so both are made once for each of them, not for each member.
local renewals = {}
local function renewal_of(ending)
  local timeout = tonumber(string.sub(ending, 2))
  local made = false
  if timeout then
    made = { now + timeout, string.format('%013.0f', now + timeout) .. ending }
    common = common or made[1]
  end
  renewals[ending] = made
  return made
end

-- The members that stand in ARGV at from to to, those before them having their places up to `before`.
local function touch(deadlines, from, to, before)
  local set, last = { deadlines }, 1
  for i, value in ipairs(redis.call('HMGET', deadlines, unpack(ARGV, from, to))) do
    local deadline = 0
    local held = value and tonumber(string.sub(value, 1, 13))
    if held and held > now then
      local ending = string.sub(value, 14)
      local renewal = renewals[ending]
      if renewal == nil then
        renewal = renewal_of(ending)
      end
      if renewal and held > renewal[1] then
        -- The clock was set back: a deadline never is.
        deadline = held
      elseif renewal then
        deadline = renewal[1]
        set[last + 1], set[last + 2] = ARGV[from + i - 1], renewal[2]
        last = last + 2
      end
    end
    if deadline ~= common then
      answer[#answer + 1] = before + i
      answer[#answer + 1] = deadline
    end
  end
  if last > 1 then
    redis.call('HSET', unpack(set))
  end
end

local from = #KEYS + 1
for shard, deadlines in ipairs(KEYS) do
  local count = tonumber(ARGV[shard])
  touch(deadlines, from, from + count - 1, from - #KEYS - 1)
  from = from + count
end
answer[2] = common or 0
return answer
