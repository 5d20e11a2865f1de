-- A batch of heartbeats: extends the sessions that are live.
-- KEYS 1 sessions, 2 users. ARGV 1 the timeout of all members in ms, or '' where they differ; 2… the members
-- "user:session:timeout_ms", at most 1000.
-- Answers { now, deadline, place, deadline, place, deadline… }: the deadline of all, but of the members at these places,
-- from 1 on: 0 for one that is not known to be live. A member whose timeout is not the one that the engine holds (the user
-- has changed it since the token was made) is found by its session. One that said that it is leaving is not known: the
-- connect that follows gives it its timeout back.
local now = clock()
local count = #ARGV - 1
if count < 1 then
  return { now, 0 }
end

-- Whatever is past its deadline waits for the sweep, which is never far behind: mostly there is nothing, and what is in the
-- set is live. So the members' own deadlines are only asked for where many wait.
local MOST_LATE = 100
local late = nil
local overdue = redis.call('ZRANGE', KEYS[1], '-inf', now, 'BYSCORE', 'LIMIT', 0, MOST_LATE)
if #overdue > 0 then
  late = {}
  for _, text in ipairs(overdue) do
    late[text] = true
  end
  if #overdue == MOST_LATE then
    for i, score in ipairs(redis.call('ZMSCORE', KEYS[1], unpack(ARGV, 2))) do
      late[ARGV[i + 1]] = score and tonumber(score) <= now
    end
  end
end

local common = tonumber(ARGV[1])
local add, last = { KEYS[1], 'XX', 'GT', 'CH' }, 4
-- A deadline is written out once for each timeout, not for each member.
local texts = {}
local function deadline_of(text)
  local timeout = common or tonumber(string.match(text, '(%d+)$'))
  texts[timeout] = texts[timeout] or string.format('%.0f', now + timeout)
  return texts[timeout]
end
local deadline = common and deadline_of()
for i = 2, count + 1 do
  local text = ARGV[i]
  if not (late and late[text]) then
    add[last + 1], add[last + 2] = deadline or deadline_of(text), text
    last = last + 2
  end
end
local moved = last > 4 and redis.call('ZADD', unpack(add)) or 0
local answer = { now, common and now + common or 0 }
if common and moved == count then
  return answer
end

-- Not all are live, or have moved by this: some timeouts differ, a session came twice, or the clock was set back.
local function found_by_session(text)
  local user, session = string.match(text, '^(%d+):(%d+):')
  local value = redis.call('HGET', KEYS[2], user)
  local timeout, mark = string.match(value or '', '[|,]' .. session .. ':(%d+)(l?)')
  if mark ~= '' then
    return 0
  end
  text = user .. ':' .. session .. ':' .. timeout
  local score = tonumber(redis.call('ZSCORE', KEYS[1], text) or nil)
  if not score or score <= now then
    return 0
  end
  local deadline = math.max(score, now + tonumber(timeout))
  redis.call('ZADD', KEYS[1], 'XX', 'GT', string.format('%.0f', deadline), text)
  return deadline
end
for i, score in ipairs(redis.call('ZMSCORE', KEYS[1], unpack(ARGV, 2))) do
  local text = ARGV[i + 1]
  local deadline
  if late and late[text] then
    deadline = 0
  elseif score then
    deadline = tonumber(score)
  else
    deadline = found_by_session(text)
  end
  if deadline ~= answer[2] then
    answer[#answer + 1] = i
    answer[#answer + 1] = deadline
  end
end
return answer
