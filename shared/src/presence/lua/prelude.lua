-- What every script but touch begins with. KEYS of every such script:
--   1 sessions      sorted set  member "user:session:timeout_ms", score its deadline in ms; "…timeout_msl" where the
--                               session said that it is leaving, and has this grace for a timeout
--   2 users         hash        user -> "reason|gone|session:timeout_ms,..." while the user has unsettled sessions;
--                               reason: l (login) or h (heartbeat), gone: newest sign of life of sessions that left
--   3 unprojected   hash        user -> "id|online|at|last_seen|reason", its last transition, until the database has it
--   4 transitions   stream      every transition (u o a l r s, and x where the session's own last sign of life is not
--                               the user's) and every session that left beside others (u s l)
--   5 epoch         string      "shards:born_us"
-- ARGV[1] of every such script that writes: the number of shards this process is set to.
-- The function clock() stands before this text.

local SESSIONS, USERS, UNPROJECTED, TRANSITIONS, EPOCH = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local REASONS = { l = 'login', h = 'heartbeat' }

local function int(n)
  return string.format('%.0f', n)
end

-- The epoch, made where there is none; an error where the data were laid out for another number of shards.
local function guard(shards)
  local epoch = redis.call('GET', EPOCH)
  if not epoch then
    local t = redis.call('TIME')
    epoch = shards .. ':' .. t[1] .. string.format('%06d', tonumber(t[2]))
    redis.call('SET', EPOCH, epoch)
  end
  local stored = string.match(epoch, '^(%d+):')
  if stored ~= shards then
    return redis.error_reply('SHARDS ' .. tostring(stored))
  end
end

-- A session's part of the user's value, and with the user before it its member: { id, timeout, mark }.
local function text_of(session)
  return session.id .. ':' .. int(session.timeout) .. session.mark
end

local function member(user, session)
  return user .. ':' .. text_of(session)
end

-- The part of a list that begins at `from`: Lua passes no more than some thousands of arguments to a command.
local PART = 1000
local function part(list, from)
  return unpack(list, from, math.min(from + PART - 1, #list))
end

-- A user's sessions: { reason, gone, sessions = { { id, timeout, mark, deadline } } }, or nil where it has none. The
-- mark is l where the session is leaving, and empty else.
local function held(user)
  local value = redis.call('HGET', USERS, user)
  if not value then
    return nil
  end
  local reason, gone, list = string.match(value, '^(%a)|(%d*)|(.*)$')
  local found = { reason = reason, gone = tonumber(gone) or 0, sessions = {} }
  local members = {}
  for id, timeout, mark in string.gmatch(list, '(%d+):(%d+)(l?)') do
    local session = { id = id, timeout = tonumber(timeout), mark = mark }
    found.sessions[#found.sessions + 1] = session
    members[#members + 1] = member(user, session)
  end
  for from = 1, #members, PART do
    for i, score in ipairs(redis.call('ZMSCORE', SESSIONS, part(members, from))) do
      found.sessions[from + i - 1].deadline = tonumber(score or 0)
    end
  end
  return found
end

local function seen(session)
  return math.max(session.deadline - session.timeout, 0)
end

local function keep(user, found)
  local parts = {}
  for i, session in ipairs(found.sessions) do
    parts[i] = text_of(session)
  end
  local gone = found.gone > 0 and int(found.gone) or ''
  redis.call('HSET', USERS, user, found.reason .. '|' .. gone .. '|' .. table.concat(parts, ','))
end

local function emit(user, online, at, last_seen, reason, session, own)
  local entry = { 'u', user, 'o', online, 'a', int(at), 'l', int(last_seen), 'r', reason, 's', session }
  if own and own ~= last_seen then
    entry[#entry + 1] = 'x'
    entry[#entry + 1] = int(own)
  end
  local id = redis.call('XADD', TRANSITIONS, '*', unpack(entry))
  redis.call('HSET', UNPROJECTED, user,
    id .. '|' .. online .. '|' .. int(at) .. '|' .. int(last_seen) .. '|' .. reason)
end

-- Of two sessions, whether a stops counting after b: by their deadlines, and of equal ones by their ids.
local function outlasts(a, b)
  return a.deadline > b.deadline or (a.deadline == b.deadline and tonumber(a.id) > tonumber(b.id))
end

-- Takes the sessions for which leaves(session) is true out of found. Whoever has none left goes offline: at `at`, or,
-- where that is nil, at the last of their deadlines, but never before the last sign of life: a clock that was set back
-- or a timeout that was shortened would have it so. Answers whether that happened.
local function take_out(user, found, leaves, at, reason)
  local left, last = {}, nil
  local gone_members = {}
  for _, session in ipairs(found.sessions) do
    if leaves(session) then
      gone_members[#gone_members + 1] = member(user, session)
      found.gone = math.max(found.gone, seen(session))
      if not last or outlasts(session, last) then
        last = session
      end
    else
      left[#left + 1] = session
    end
  end
  if #gone_members == 0 then
    return false
  end
  for from = 1, #gone_members, PART do
    redis.call('ZREM', SESSIONS, part(gone_members, from))
  end
  local offline = #left == 0
  for _, session in ipairs(found.sessions) do
    if leaves(session) and not (offline and session == last) then
      redis.call('XADD', TRANSITIONS, '*', 'u', user, 's', session.id, 'l', int(seen(session)))
    end
  end
  found.sessions = left
  if offline then
    redis.call('HDEL', USERS, user)
    -- A session without a score has no deadline to date by: part of the data was lost.
    at = at or (last.deadline > 0 and last.deadline or clock())
    emit(user, '0', math.max(at, found.gone), found.gone, reason, last.id, seen(last))
  else
    keep(user, found)
  end
  return offline
end

-- Takes out what has passed its deadline. Answers what is left, or nil.
local function settle(user, now)
  local found = held(user)
  if not found then
    return nil
  end
  local function passed(session)
    return session.deadline <= now
  end
  take_out(user, found, passed, nil, 'timeout')
  if #found.sessions == 0 then
    return nil
  end
  return found
end

-- What is known of a user, without changing anything:
-- { 0 } settled, { 1, until, last_seen, reason } online, { 2, at, last_seen, reason } offline.
local function known(user, now)
  local found = held(user)
  if found and #found.sessions > 0 then
    local farthest, last_seen = 0, found.gone
    for _, session in ipairs(found.sessions) do
      farthest = math.max(farthest, session.deadline)
      last_seen = math.max(last_seen, seen(session))
    end
    if farthest > now then
      return { 1, farthest, last_seen, REASONS[found.reason] }
    end
    return { 2, math.max(farthest, last_seen), last_seen, 'timeout' }
  end
  local last = redis.call('HGET', UNPROJECTED, user)
  if last then
    local online, at, last_seen, reason = string.match(last, '^[^|]*|(%d)|(%d+)|(%d+)|(.*)$')
    if online == '0' then
      return { 2, tonumber(at), tonumber(last_seen), reason }
    end
  end
  return { 0 }
end

-- Users with sessions past their deadline, each once, the longest overdue first; and the members of those sessions,
-- at most `most`.
local function overdue(now, most)
  local members = redis.call('ZRANGE', SESSIONS, '-inf', now, 'BYSCORE', 'LIMIT', 0, most)
  local users, met = {}, {}
  for _, text in ipairs(members) do
    local user = string.match(text, '^(%d+):')
    if not met[user] then
      met[user] = true
      users[#users + 1] = user
    end
  end
  return users, members
end

-- How many users are online: those who hold sessions, less those all of whose sessions have passed their deadline.
-- -1 where more than `most` sessions are overdue: sweep first.
local function count_online(now, most)
  local users, members = overdue(now, most)
  if #members >= most then
    return -1
  end
  local count = redis.call('HLEN', USERS)
  for _, user in ipairs(users) do
    if known(user, now)[1] ~= 1 then
      count = count - 1
    end
  end
  return count
end
