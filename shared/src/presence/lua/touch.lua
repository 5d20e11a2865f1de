-- A batch of heartbeats, of one shard or of several on one server: extends the sessions that are live.
-- KEYS sessions and users of the first shard, of the second, and so on. ARGV 1 the timeout of all members in ms, or '' where
-- they differ; 2… for each shard how many members it has, at most 1000; then these, "user:session:timeout_ms".
-- Answers { now, deadline, place, deadline, place, deadline… }: the deadline of all, but of the members at these places,
-- from 1 on: 0 for one that is not known to be live. A member whose timeout is not the one that the engine holds (the user
-- has changed it since the token was made) is found by its session. One that said that it is leaving is not known: the
-- connect that follows gives it its timeout back.
local now = clock()
local common = tonumber(ARGV[1])
local answer = { now, common and now + common or 0 }

-- A deadline is written out once for each timeout, not for each member.
local texts = {}
local function deadline_of(text)
  local timeout = common or tonumber(string.match(text, '(%d+)$'))
  texts[timeout] = texts[timeout] or string.format('%.0f', now + timeout)
  return texts[timeout]
end
local same = common and deadline_of()

-- Members of this shard that are past their deadline, or nil where there are none: whatever is waits for the sweep, which is
-- never far behind, and what else is in the set is live. The members' own deadlines are asked for only where many wait.
local MOST_LATE = 100
local function late_among(sessions, from, to)
  local overdue = redis.call('ZRANGE', sessions, '-inf', now, 'BYSCORE', 'LIMIT', 0, MOST_LATE)
  if #overdue == 0 then
    return nil
  end
  local late = {}
  for _, text in ipairs(overdue) do
    late[text] = true
  end
  if #overdue == MOST_LATE then
    for i, score in ipairs(redis.call('ZMSCORE', sessions, unpack(ARGV, from, to))) do
      late[ARGV[from + i - 1]] = score and tonumber(score) <= now
    end
  end
  return late
end

local function found_by_session(sessions, users, text)
  local user, session = string.match(text, '^(%d+):(%d+):')
  local value = redis.call('HGET', users, user)
  local timeout, mark = string.match(value or '', '[|,]' .. session .. ':(%d+)(l?)')
  if mark ~= '' then
    return 0
  end
  text = user .. ':' .. session .. ':' .. timeout
  local score = tonumber(redis.call('ZSCORE', sessions, text) or nil)
  if not score or score <= now then
    return 0
  end
  local deadline = math.max(score, now + tonumber(timeout))
  redis.call('ZADD', sessions, 'XX', 'GT', string.format('%.0f', deadline), text)
  return deadline
end

-- The members that stand in ARGV at from to to, those before them having their places up to `before`.
local function touch(sessions, users, from, to, before)
  local late = late_among(sessions, from, to)
  local add, last = { sessions, 'XX', 'GT', 'CH' }, 4
  for i = from, to do
    local text = ARGV[i]
    if not (late and late[text]) then
      add[last + 1], add[last + 2] = same or deadline_of(text), text
      last = last + 2
    end
  end
  local moved = last > 4 and redis.call('ZADD', unpack(add)) or 0
  if common and moved == to - from + 1 then
    return
  end
  -- Not all are live, or have moved by this: some timeouts differ, a session came twice, or the clock was set back.
  for i, score in ipairs(redis.call('ZMSCORE', sessions, unpack(ARGV, from, to))) do
    local text, deadline = ARGV[from + i - 1], 0
    if not (late and late[text]) then
      deadline = score and tonumber(score) or found_by_session(sessions, users, text)
    end
    if deadline ~= answer[2] then
      answer[#answer + 1] = before + i
      answer[#answer + 1] = deadline
    end
  end
end

local shards = #KEYS / 2
local from = shards + 2
for shard = 1, shards do
  local count = tonumber(ARGV[shard + 1])
  touch(KEYS[shard * 2 - 1], KEYS[shard * 2], from, from + count - 1, from - shards - 2)
  from = from + count
end
return answer
